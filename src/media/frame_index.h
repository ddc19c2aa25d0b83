// Where every frame of a video is: the packets as they are stored and the order in which they
// are shown. Built by demuxing alone. Plain data, no libav types.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace tru::media {

struct IndexedPacket {
  // What the container calls this packet: its presentation time, or its decoding time where the
  // container (avi) stores no other. In ticks of the stream.
  std::int64_t stored_time = 0;
  std::int64_t pts = 0;   // presentation time, in the same ticks
  bool keyframe = false;  // decoding can begin here
  bool shown = true;      // false: decoded only because others refer to it
};

class FrameIndex {
 public:
  FrameIndex() = default;

  // packets in stored (decoding) order; tick_s is the length of a tick.
  FrameIndex(std::vector<IndexedPacket> packets, double tick_s);

  int frames_total() const { return static_cast<int>(shown_.size()); }
  const std::vector<IndexedPacket>& packets() const { return packets_; }

  // Seconds since the first shown frame, ascending, one per frame in order of presentation.
  const std::vector<double>& times_s() const { return times_s_; }

  // The packet that holds frame number frame (in order of presentation).
  int packet_of(int frame) const { return static_cast<int>(shown_[frame]); }
  std::int64_t pts_of(int frame) const { return packets_[shown_[frame]].pts; }

  // The first frame with this presentation time.
  std::optional<int> frame_at(std::int64_t pts) const;

  // The last keyframe from which frame can be decoded: stored before it and not shown after it
  // (frames that are stored after a keyframe but shown before it may need the one before).
  int keyframe_before(int frame) const;

 private:
  std::vector<IndexedPacket> packets_;
  std::vector<std::uint32_t> shown_;  // packet numbers in order of presentation
  std::vector<std::uint32_t> keyframes_;
  std::vector<double> times_s_;
};

}  // namespace tru::media
