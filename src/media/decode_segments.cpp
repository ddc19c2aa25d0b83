#include "media/decode_segments.h"

#include <algorithm>

namespace tru::media {

std::vector<DecodeSegment> plan_segments(const FrameIndex& index, std::span<const int> wanted) {
  // Restarting the decoder costs about as much as decoding a few frames.
  constexpr int kRestartPackets = 4;
  std::vector<DecodeSegment> segments;
  for (const int frame : wanted) {
    const int keyframe = index.keyframe_before(frame);
    const int packet = index.packet_of(frame);
    if (segments.empty() || keyframe > segments.back().last_packet + kRestartPackets)
      segments.push_back({keyframe, packet});
    else
      segments.back().last_packet = std::max(segments.back().last_packet, packet);
  }
  return segments;
}

}  // namespace tru::media
