// The native back end's prompt, and its flow into the engine.
#pragma once

#include <array>
#include <vector>

#include "backend/backend.h"
#include "engine/request.h"
#include "model/qwen3vl/unchanged.h"

namespace tru::backend {

class NativePrompt : public Prompt {
 public:
  NativePrompt(std::vector<text::PromptSegment> segments, std::vector<MediaShape> media);

  std::int64_t num_tokens() const override { return num_tokens_; }
  // Temporal patches of all media.
  std::int64_t num_visual_spans() const { return num_visual_spans_; }
  const std::vector<text::PromptSegment>& segments() const { return segments_; }
  const std::vector<MediaShape>& media() const { return media_; }

 private:
  std::vector<text::PromptSegment> segments_;
  std::vector<MediaShape> media_;
  std::int64_t num_tokens_ = 0;
  std::int64_t num_visual_spans_ = 0;
};

// Hands the segments to the engine, each visual one with its frames. When a video ends early, the
// rest of its temporal patches are left out, timestamps and all.
class NativePromptSource : public engine::PromptSource {
 public:
  // All arguments outlive this. drop_unchanged: the shape of patches, or null if all tokens are
  // wanted. dropped: receives their number for each of the media.
  NativePromptSource(const NativePrompt& prompt, const std::vector<FrameSource*>& frames,
                     AnswerListener& listener,
                     const model::qwen3vl::PatchShape* drop_unchanged = nullptr,
                     std::vector<std::int64_t>* dropped = nullptr);

  Result<std::optional<engine::PromptSegment>> next(std::stop_token stop) override;

 private:
  std::vector<bool> kept_tokens(std::size_t media_index, const FramePair& frames);

  const NativePrompt& prompt_;
  const std::vector<FrameSource*>& frames_;
  AnswerListener& listener_;
  std::size_t next_segment_ = 0;
  std::vector<bool> ended_;                                 // per media: no more frames will come
  std::int64_t pairs_ = 0;                                  // received so far
  std::vector<model::qwen3vl::UnchangedTokens> unchanged_;  // per media, if tokens are dropped
  std::vector<std::int64_t>* dropped_;
};

}  // namespace tru::backend
