#include "backend/native_prompt.h"

#include <algorithm>

#include "base/assert.h"

namespace tru::backend {

NativePrompt::NativePrompt(std::vector<text::PromptSegment> segments, std::vector<MediaShape> media)
    : segments_(std::move(segments)), media_(std::move(media)) {
  for (const text::PromptSegment& segment : segments_) {
    num_tokens_ += static_cast<std::int64_t>(segment.ids.size());
    if (!segment.visual) continue;
    num_tokens_ += segment.visual->num_tokens;
    ++num_visual_spans_;
  }
}

NativePromptSource::NativePromptSource(const NativePrompt& prompt,
                                       const std::vector<FrameSource*>& frames,
                                       AnswerListener& listener,
                                       const model::qwen3vl::PatchShape* drop_unchanged,
                                       std::vector<std::int64_t>* dropped)
    : prompt_(prompt),
      frames_(frames),
      listener_(listener),
      ended_(frames.size()),
      dropped_(dropped) {
  TRU_ASSERT(frames.size() == prompt.media().size());
  if (drop_unchanged == nullptr) return;
  unchanged_.assign(frames.size(), model::qwen3vl::UnchangedTokens(*drop_unchanged));
  dropped_->assign(frames.size(), 0);
}

// Empty: all.
std::vector<bool> NativePromptSource::kept_tokens(std::size_t media_index,
                                                  const FramePair& frames) {
  if (unchanged_.empty()) return {};
  std::vector<bool> kept = unchanged_[media_index].next(frames);
  (*dropped_)[media_index] += std::count(kept.begin(), kept.end(), false);
  return kept;
}

Result<std::optional<engine::PromptSegment>> NativePromptSource::next(std::stop_token stop) {
  while (next_segment_ < prompt_.segments().size()) {
    const text::PromptSegment& source = prompt_.segments()[next_segment_++];
    engine::PromptSegment segment;
    segment.ids = source.ids;
    if (!source.visual) return segment;

    const text::VisualSpan& span = *source.visual;
    if (ended_[span.media_index]) continue;
    TRU_TRY(auto pair, frames_[span.media_index]->next(stop));
    if (!pair) {
      ended_[span.media_index] = true;
      continue;
    }
    listener_.on_progress(Stage::decode, ++pairs_, prompt_.num_visual_spans());
    const auto& grid = prompt_.media()[span.media_index].grid_thw;
    segment.visual = {{1, grid[1], grid[2]},
                      static_cast<std::int64_t>(segment.ids.size()),
                      kept_tokens(span.media_index, *pair)};
    segment.ids.insert(segment.ids.end(), static_cast<std::size_t>(span.num_tokens), span.pad_id);
    segment.frames = std::move(*pair);
    return segment;
  }
  return std::nullopt;
}

}  // namespace tru::backend
