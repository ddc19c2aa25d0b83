#include "media/orientation.h"

#include <cmath>
#include <cstring>
#include <utility>

#include "media/rgb_frame.h"

namespace tru::media {

int Orientation::rotation_deg() const {
  if (!transpose) return flip_y ? 180 : 0;
  return flip_x ? 90 : 270;
}

Orientation orientation_of_matrix(const std::array<std::int32_t, 9>& matrix) {
  // x' = a x + c y, y' = b x + d y: which input axis each output axis follows, and its sign.
  const double a = matrix[0], b = matrix[1], c = matrix[3], d = matrix[4];
  if (std::fabs(b) + std::fabs(c) > std::fabs(a) + std::fabs(d))
    return {.transpose = true, .flip_x = c < 0, .flip_y = b < 0};
  return {.transpose = false, .flip_x = a < 0, .flip_y = d < 0};
}

Orientation orientation_of_exif(int value) {
  switch (value) {
    case 2:
      return {.flip_x = true};
    case 3:
      return {.flip_x = true, .flip_y = true};
    case 4:
      return {.flip_y = true};
    case 5:
      return {.transpose = true};
    case 6:
      return {.transpose = true, .flip_x = true};
    case 7:
      return {.transpose = true, .flip_x = true, .flip_y = true};
    case 8:
      return {.transpose = true, .flip_y = true};
    default:
      return {};
  }
}

RgbFrame orient(RgbFrame frame, Orientation orientation) {
  if (orientation.upright()) return frame;
  RgbFrame turned = orientation.transpose ? blank_frame(frame.height, frame.width)
                                          : blank_frame(frame.width, frame.height);

  // Steps, in source bytes, of one pixel to the right and one row down in the result.
  std::ptrdiff_t right = 3;
  std::ptrdiff_t down = std::ptrdiff_t{3} * frame.width;
  if (orientation.transpose) std::swap(right, down);
  const std::uint8_t* corner = frame.pixels.data();
  if (orientation.flip_x) {
    corner += right * (turned.width - 1);
    right = -right;
  }
  if (orientation.flip_y) {
    corner += down * (turned.height - 1);
    down = -down;
  }
  std::uint8_t* to = turned.pixels.data();
  for (int y = 0; y < turned.height; ++y) {
    const std::uint8_t* from = corner + y * down;
    for (int x = 0; x < turned.width; ++x, from += right, to += 3) std::memcpy(to, from, 3);
  }
  return turned;
}

}  // namespace tru::media
