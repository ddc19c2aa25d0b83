// Frames as the text of a data: URL.
#pragma once

#include <string>

#include "backend/remote/remote_config.h"
#include "base/frame.h"

namespace tru::backend {

// A JPEG (quality 95, full colour resolution) or PNG file in base64.
std::string encode_frame(const RgbFrame& frame, FrameFormat format);

}  // namespace tru::backend
