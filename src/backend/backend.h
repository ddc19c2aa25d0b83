// Who answers: the native engine here, or a remote server. The pipeline knows only this.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/frame.h"
#include "base/result.h"
#include "text/chat.h"

namespace tru::backend {

// How the model wants its pictures. Source: config.json and the preprocessor configs.
struct VisionLimits {
  int patch_size = 16;                                      // pixels
  int spatial_merge_size = 2;                               // patches per side of a token
  int temporal_patch_size = 2;                              // frames per temporal patch
  std::int64_t image_min_pixels = 0, image_max_pixels = 0;  // of one image
  std::int64_t video_min_pixels = 0, video_max_pixels = 0;  // of a clip: frames * height * width
};

struct ModelInfo {
  std::string backend;           // "hf" | "vllm"
  std::string name;              // ORG/NAME if known, else the folder's name
  std::int64_t max_context = 0;  // tokens, prompt and answer together
  VisionLimits vision;
};

// What one image or video of the conversation will look like to the model.
struct MediaShape {
  text::PartKind kind = text::PartKind::video;
  std::array<int, 3> grid_thw{};     // patches
  std::vector<double> timestamps_s;  // one per temporal patch; empty for an image
};

// The frames of one image or video, in temporal pairs, resized to its grid. Ends early when the
// file's tail can't be decoded.
class FrameSource {
 public:
  virtual ~FrameSource() = default;
  // Waits for the next pair; nothing at the end. Errors: media_*, cancelled.
  virtual Result<std::optional<FramePair>> next(std::stop_token stop) = 0;

  // The file that they come from, if there is one.
  virtual std::string file() const { return {}; }
};

struct GenerationParams {
  std::int64_t max_tokens = 2048;
  double temperature = 0.7;
  double top_p = 0.8;
  int top_k = 20;
  std::uint64_t seed = 0;
  std::vector<std::string> stop;  // strings that end the answer and are not part of it
  bool logprobs = false;
  int top_logprobs = 0;
  // Leave visual tokens out whose pixels stand still (native engine only).
  bool drop_unchanged = false;
  std::string traceparent{};  // the field to send along to a remote server; empty: none
};

struct AlternativeToken {
  std::int32_t id = 0;
  std::string bytes;
  float logprob = 0;
};

struct OutputToken : AlternativeToken {
  std::vector<AlternativeToken> top_logprobs;  // best first
};

struct Usage {
  std::int64_t prompt_tokens = 0;
  std::int64_t completion_tokens = 0;
  std::int64_t cached_tokens = 0;
};

// Busy time of each stage.
struct Timings {
  double vision_ms = 0;
  double prefill_ms = 0;
  double generate_ms = 0;
};

struct Generation {
  std::string text;
  std::string finish_reason;  // "stop", "length" or "repetition"
  Usage usage;
  std::vector<OutputToken> tokens;             // if logprobs were asked for
  std::vector<std::int32_t> prompt_token_ids;  // if logprobs were asked for
  Timings timings;
  std::int64_t reused_temporal_patches = 0;  // same pixels as the one before: not encoded again
  std::vector<std::int64_t> dropped_tokens;  // of each of the media, by drop_unchanged; or empty
};

enum class Stage { load, download, decode, vision, prefill, generate };
std::string_view to_string(Stage stage);

// Hears how an answer comes along. Called on the thread that generates.
class AnswerListener {
 public:
  virtual ~AnswerListener() = default;
  virtual void on_progress(Stage stage, std::int64_t done, std::int64_t total) = 0;
  virtual void on_text(std::string_view text) = 0;  // whole characters, in order
  // If logprobs were asked for: each token, before the text that it completes.
  virtual void on_token(const OutputToken&) {}
};

// A conversation as the model will read it.
class Prompt {
 public:
  virtual ~Prompt() = default;
  virtual std::int64_t num_tokens() const = 0;
};

// What a prompt would cost. Unset: not known, because another machine answers.
struct Estimate {
  std::int64_t prompt_tokens = 0;
  std::optional<std::size_t> memory_bytes;  // KV cache, working memory, weights unless mapped
  std::optional<double> first_token_s;
};

// Knows a model's shape and prompts; runs nothing.
class Planner {
 public:
  virtual ~Planner() = default;

  virtual ModelInfo info() const = 0;

  // Media indexes of the messages count `media`. Errors: invalid_argument.
  virtual Result<std::unique_ptr<Prompt>> build_prompt(
      const std::vector<text::Message>& messages, const std::vector<MediaShape>& media) const = 0;

  // The first call may measure the device, for some tenths of a second, and must not meet a
  // generate(); later ones only calculate and any thread may make them. Error: engine_failed.
  virtual Result<Estimate> estimate(const Prompt& prompt, const std::vector<MediaShape>& media,
                                    std::int64_t max_tokens) = 0;
};

// One remote server, as the service's health report shows it.
struct ServerStatus {
  bool available = false;
  int running = 0;   // requests of ours
  std::string kind;  // such as "vLLM"; this and the next are empty until it was found
  std::string version;
  std::string model;
  std::string transport;    // how the frames of a video are sent
  std::string prompt_form;  // how it writes a video into the prompt
  std::vector<std::string> warnings;
};

class Backend : public Planner {
 public:
  // Reads the prompt with the frames of its media and answers. frames has one source per media.
  // At most max_concurrency() calls at a time, from any threads. Errors: context_overflow,
  // engine_failed, backend_*, cancelled, the sources' own.
  virtual Result<Generation> generate(const Prompt& prompt, const std::vector<FrameSource*>& frames,
                                      const GenerationParams& params, AnswerListener& listener,
                                      std::stop_token stop) = 0;

  virtual int max_concurrency() const { return 1; }

  // Those behind this back end; none behind the native engine. Any thread.
  virtual std::vector<ServerStatus> servers() const { return {}; }
};

}  // namespace tru::backend
