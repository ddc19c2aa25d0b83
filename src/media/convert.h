// Decoded pictures to RGB.
#pragma once

#include "base/frame.h"
#include "base/result.h"
#include "media/av.h"

namespace tru::media {

// YUV to 8-bit RGB with libswscale's default (fast) converter, as the reference does it: matrix
// and range from the frame's tags, BT.601 limited range if untagged. One thread at a time.
class RgbConverter {
 public:
  // As stored, not turned. media_unreadable if libswscale cannot read the format.
  Result<RgbFrame> convert(const AVFrame& frame);

 private:
  AvPtr<SwsContext> scaler_;
  AvPtr<AVFrame> rgb_;
  int width_ = 0, height_ = 0, format_ = -1, matrix_ = -1;
  bool full_range_ = false;
};

}  // namespace tru::media
