// The libav side of an opened video, handed from VideoFile to the decoder.
#pragma once

#include <memory>

#include "media/av.h"
#include "media/input_file.h"
#include "media/orientation.h"

namespace tru::media {

struct VideoSource {
  std::shared_ptr<const InputFile> file;
  const AVInputFormat* format = nullptr;
  int stream_index = 0;
  AvPtr<AVCodecParameters> parameters;
  AVRational time_base{};
  Orientation orientation;
  bool interlaced = false;
};

// What the packet is called in IndexedPacket::stored_time; AV_NOPTS_VALUE if it has no time.
inline std::int64_t stored_time(const AVPacket& packet) {
  return packet.pts != AV_NOPTS_VALUE ? packet.pts : packet.dts;
}

}  // namespace tru::media
