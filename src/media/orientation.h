// How a stored picture must be turned to stand upright: one of eight.
#pragma once

#include <array>
#include <cstdint>

#include "base/frame.h"

namespace tru::media {

// First transpose (swap rows and columns), then mirror.
struct Orientation {
  bool transpose = false;
  bool flip_x = false;  // left and right
  bool flip_y = false;  // top and bottom

  bool operator==(const Orientation&) const = default;
  bool upright() const { return *this == Orientation{}; }

  // The clockwise turn in it, mirroring left aside: 0, 90, 180 or 270.
  int rotation_deg() const;
};

// Of the 3x3 transformation matrix of a video track (ISO/IEC 14496-12, 8.3.2), row-major, as libav
// gives it. Turns that are not a multiple of 90 degrees are rounded to one.
Orientation orientation_of_matrix(const std::array<std::int32_t, 9>& matrix);

// Of the value (1-8) of the EXIF tag 0x0112; others mean upright.
Orientation orientation_of_exif(int value);

// The picture turned upright.
RgbFrame orient(RgbFrame frame, Orientation orientation);

}  // namespace tru::media
