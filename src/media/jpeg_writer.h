// Pictures for people: JPEG files.
#pragma once

#include <string>

#include "base/frame.h"

namespace tru::media {

// quality: 1 to 100, as libjpeg counts. frame is not empty.
std::string encode_jpeg(const RgbFrame& frame, int quality = 85);

}  // namespace tru::media
