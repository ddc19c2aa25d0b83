#include <algorithm>

#include "media/resize_kernels.h"

namespace tru::media {
namespace {

std::uint8_t to_byte(std::int32_t sum, int precision) {
  return static_cast<std::uint8_t>(std::clamp(sum >> precision, 0, 255));
}

}  // namespace

void resize_rows_plain(const HorizontalPass& pass) {
  const ResizeTaps& taps = *pass.taps;
  const int width_to = static_cast<int>(taps.first.size());
  for (int y = 0; y < pass.rows; ++y) {
    const std::uint8_t* row = pass.from + std::size_t{3} * y * pass.width_from;
    std::uint8_t* to = pass.to + std::size_t{3} * y * width_to;
    for (int o = 0; o < width_to; ++o, to += 3) {
      const std::int16_t* weights = &taps.weights[std::size_t(o) * taps.num_taps];
      const int count = std::min(taps.num_taps, pass.width_from - taps.first[o]);
      const std::uint8_t* from = row + std::size_t{3} * taps.first[o];
      std::int32_t red = 1 << (taps.precision - 1), green = red, blue = red;
      for (int t = 0; t < count; ++t, from += 3) {
        red += weights[t] * from[0];
        green += weights[t] * from[1];
        blue += weights[t] * from[2];
      }
      to[0] = to_byte(red, taps.precision);
      to[1] = to_byte(green, taps.precision);
      to[2] = to_byte(blue, taps.precision);
    }
  }
}

void resize_columns_plain(const VerticalPass& pass) {
  const ResizeTaps& taps = *pass.taps;
  for (std::size_t o = 0; o < taps.first.size(); ++o) {
    const std::int16_t* weights = &taps.weights[o * taps.num_taps];
    const int count = std::min(taps.num_taps, pass.rows_from - taps.first[o]);
    const std::uint8_t* from = pass.from + pass.row_bytes * taps.first[o];
    std::uint8_t* to = pass.to + pass.row_bytes * o;
    for (std::size_t x = 0; x < pass.row_bytes; ++x) {
      std::int32_t sum = 1 << (taps.precision - 1);
      for (int t = 0; t < count; ++t) sum += weights[t] * from[t * pass.row_bytes + x];
      to[x] = to_byte(sum, taps.precision);
    }
  }
}

}  // namespace tru::media
