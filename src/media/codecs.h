// Which codecs this build of libavcodec decodes.
#pragma once

#include <string>
#include <vector>

namespace tru::media {

struct CodecSupport {
  std::string name;  // as in VideoInfo::codec
  bool decodable = false;
};

// All that we open, whether or not they can be decoded here.
std::vector<CodecSupport> codec_support();

}  // namespace tru::media
