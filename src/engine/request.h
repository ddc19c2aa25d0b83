// What the engine is asked to do, and how it tells what it did.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

#include "base/frame.h"
#include "base/result.h"
#include "engine/sampler.h"
#include "model/qwen3vl/patches.h"

namespace tru::engine {

// Where the tokens of one image or of one temporal patch of a video stand: tokens()
// pads from `offset` on. Images and videos are the same to everything below the prompt.
struct VisualSpan {
  model::qwen3vl::GridTHW grid_thw;  // t = 1; h and w before the spatial merge
  std::int64_t offset = 0;           // in the segment's ids
  // For each of its tokens, whether the model is to see it; empty: all. The others leave a gap in
  // the positions and are no part of the prompt.
  std::vector<bool> kept{};
};

// A stretch of the prompt: text with its control tokens, and at most one visual span.
struct PromptSegment {
  std::vector<std::int32_t> ids;
  std::optional<VisualSpan> visual;
  FramePair frames;  // set if visual is
};

// The prompt, piece by piece: a long video is encoded while its later frames are being decoded.
class PromptSource {
 public:
  virtual ~PromptSource() = default;
  // The next segment, or nothing at the prompt's end. Called on the engine thread; may wait for
  // frames. Errors end the request.
  virtual Result<std::optional<PromptSegment>> next(std::stop_token stop) = 0;
};

enum class FinishReason {
  stop,        // the model ended its turn, or the listener had enough
  length,      // max_tokens, or the context is full
  repetition,  // the loop guard ended it
};

struct Timings {
  double vision_ms = 0;
  double prefill_ms = 0;
  double generate_ms = 0;
};

struct Completion {
  FinishReason finish_reason = FinishReason::stop;
  std::int64_t num_prompt_tokens = 0;
  std::int64_t num_cached_tokens = 0;
  std::int64_t num_completion_tokens = 0;
  std::int64_t num_reused_spans = 0;  // whose features the span before, of the same pixels, had
  std::vector<std::int32_t> prompt_token_ids;
  Timings timings;
};

// Called on the engine thread; must not block for long.
class SequenceListener {
 public:
  virtual ~SequenceListener() = default;
  virtual void on_vision(std::int64_t spans_encoded) = 0;
  virtual void on_prefill(std::int64_t tokens_computed) = 0;
  // Every token, the one that ends the model's turn included, as the reference counts them. False:
  // no more are wanted (a stop string was seen).
  virtual bool on_token(const GeneratedToken& token) = 0;
  virtual void on_finish(Result<Completion> completion) = 0;
};

struct Request {
  std::unique_ptr<PromptSource> prompt;
  SamplingParams sampling;
  std::int64_t max_tokens = 2048;
  int top_logprobs = 0;
  std::vector<std::int32_t> stop_token_ids;
  SequenceListener* listener = nullptr;  // outlives the request
  std::stop_token stop;
};

}  // namespace tru::engine
