// Pictures on their way from media/ to the model: the one type both know.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace tru {

// Packed 8-bit RGB, row-major, no padding: pixels.size() == 3 * width * height.
struct RgbFrame {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> pixels;
};

// The two frames of one temporal patch, same size. An image, and the last frame of an odd count,
// stands in both places (the same pointer).
struct FramePair {
  std::shared_ptr<const RgbFrame> first;
  std::shared_ptr<const RgbFrame> second;
};

}  // namespace tru
