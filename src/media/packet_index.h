// Lists the packets of a video by demuxing: no frame is decoded.
#pragma once

#include "base/result.h"
#include "media/frame_index.h"
#include "media/video_file.h"
#include "media/video_source.h"

namespace tru::media {

struct PacketList {
  std::vector<IndexedPacket> packets;
  std::int64_t end_pts = 0;  // where the last shown frame ends; its begin if that is not stored
};

// media_too_long beyond the limits, media_unreadable if there is no packet to decode.
Result<PacketList> list_packets(const VideoSource& source, const MediaLimits& limits);

// True for packets that hold no picture to show (VP8's alternate reference frames).
bool is_hidden(AVCodecID codec, const AVPacket& packet);

}  // namespace tru::media
