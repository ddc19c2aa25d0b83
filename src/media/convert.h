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
  struct Settings {
    int width = 0;
    int height = 0;
    int format = -1;
    int matrix = -1;
    bool full_range = false;
    bool chroma_at_left = false;  // not in the middle of two pixels
    bool operator==(const Settings&) const = default;
  };

  static Settings settings_of(const AVFrame& frame);
  Result<RgbFrame> scale(const AVFrame& frame);
  Status configure(const Settings& settings);

  AvPtr<SwsContext> scaler_;
  AvPtr<AVFrame> rgb_;
  Settings settings_;
};

}  // namespace tru::media
