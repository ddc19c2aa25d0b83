#pragma once

#include <cstddef>

#include "base/frame.h"

namespace tru::media {

// A picture of this size, its pixels to be filled in.
inline RgbFrame blank_frame(int width, int height) {
  RgbFrame frame;
  frame.width = width;
  frame.height = height;
  frame.pixels.resize(std::size_t{3} * width * height);
  return frame;
}

}  // namespace tru::media
