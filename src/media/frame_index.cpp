#include "media/frame_index.h"

#include <algorithm>

#include "base/assert.h"

namespace tru::media {

FrameIndex::FrameIndex(std::vector<IndexedPacket> packets, double tick_s)
    : packets_(std::move(packets)) {
  for (std::uint32_t i = 0; i < packets_.size(); ++i) {
    if (packets_[i].keyframe) keyframes_.push_back(i);
    if (packets_[i].shown) shown_.push_back(i);
  }
  std::stable_sort(shown_.begin(), shown_.end(), [this](std::uint32_t a, std::uint32_t b) {
    return packets_[a].pts < packets_[b].pts;
  });
  times_s_.reserve(shown_.size());
  for (const std::uint32_t i : shown_)
    times_s_.push_back(double(packets_[i].pts - packets_[shown_[0]].pts) * tick_s);
}

std::optional<int> FrameIndex::frame_at(std::int64_t pts) const {
  const auto at = std::lower_bound(
      shown_.begin(), shown_.end(), pts,
      [this](std::uint32_t i, std::int64_t wanted) { return packets_[i].pts < wanted; });
  if (at == shown_.end() || packets_[*at].pts != pts) return std::nullopt;
  return static_cast<int>(at - shown_.begin());
}

int FrameIndex::keyframe_before(int frame) const {
  TRU_ASSERT(!keyframes_.empty());
  auto after = std::upper_bound(keyframes_.begin(), keyframes_.end(), shown_[frame]);
  while (after != keyframes_.begin()) {
    --after;
    if (packets_[*after].pts <= pts_of(frame)) return static_cast<int>(*after);
  }
  return static_cast<int>(keyframes_.front());
}

}  // namespace tru::media
