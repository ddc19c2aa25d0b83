// Which packets must be decoded to see a choice of frames. Pure functions.
#pragma once

#include <span>
#include <vector>

#include "media/frame_index.h"

namespace tru::media {

// A run of packets, decoded in one go: from a keyframe to the last packet that a wanted frame
// needs. The decoder starts afresh for each.
struct DecodeSegment {
  int first_packet = 0;
  int last_packet = 0;  // included

  bool operator==(const DecodeSegment&) const = default;
};

// wanted: frames in order of presentation, ascending; repeats are allowed. The segments ascend and
// do not overlap; packets between them need not be read.
std::vector<DecodeSegment> plan_segments(const FrameIndex& index, std::span<const int> wanted);

}  // namespace tru::media
