// The two passes in terms of Isa. Include it after resize_x86.h, with the instruction set switched
// on, once per file.
#pragma once

#include "media/resize_x86.h"

namespace tru::media {
namespace {

// One row per 128-bit lane of a register: its four sums are red, green, blue and nothing.
template <typename Isa>
void resize_rows(const HorizontalPass& pass) {
  using Register = typename Isa::Register;
  const ResizeTaps& taps = *pass.taps;
  const int width_to = static_cast<int>(taps.first.size());
  // Of four pixels, the first two and the last two, as 16-bit pairs of each channel.
  const Register front =
      Isa::in_all_lanes(_mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
  const Register back =
      Isa::in_all_lanes(_mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1));
  const Register half = Isa::set(1 << (taps.precision - 1));
  ReadableRows<Isa::kLanes> rows(pass);

  for (int y = 0; y < pass.rows; y += Isa::kLanes) {
    std::array<const std::uint8_t*, Isa::kLanes> from;
    std::array<std::uint8_t*, Isa::kLanes> to;
    for (int lane = 0; lane < Isa::kLanes; ++lane) {
      const int row = std::min(y + lane, pass.rows - 1);  // the last one repeats
      from[lane] = rows.row(row, lane);
      to[lane] = pass.to + std::size_t{3} * row * width_to;
    }
    const std::int16_t* weights = taps.weights.data();
    for (int o = 0; o < width_to; ++o) {
      Register sum = half;
      std::size_t offset = std::size_t{3} * taps.first[o];
      for (int t = 0; t < taps.num_taps; t += 4, weights += 4, offset += 12) {
        const Register pixels = Isa::load_lanes(from, offset);
        sum = Isa::add(
            sum, Isa::multiply_add(Isa::shuffle(pixels, front), Isa::set(weight_pair(weights))));
        sum = Isa::add(
            sum, Isa::multiply_add(Isa::shuffle(pixels, back), Isa::set(weight_pair(weights + 2))));
      }
      const auto pixels = Isa::to_pixels(Isa::shift(sum, taps.precision));
      for (int lane = 0; lane < Isa::kLanes; ++lane)
        std::memcpy(to[lane] + std::size_t{3} * o, &pixels[lane], 3);
    }
  }
}

// The bytes [x, x + Isa::kBytes) of one output row.
template <typename Isa>
void resize_column_block(const VerticalPass& pass, const std::int16_t* weights, int first,
                         std::size_t x, std::uint8_t* to) {
  using Register = typename Isa::Register;
  const ResizeTaps& taps = *pass.taps;
  const Register half = Isa::set(1 << (taps.precision - 1));
  const Register zero = Isa::set(0);
  Register sums[4] = {half, half, half, half};
  const int count = std::min(taps.num_taps, pass.rows_from - first);
  for (int t = 0; t < count; t += 2) {
    const Register weight = Isa::set(weight_pair(weights + t));
    const std::uint8_t* upper = pass.from + pass.row_bytes * (first + t) + x;
    // Where an odd count ends there is no lower row; its weight is 0.
    const Register a = Isa::load(upper);
    const Register b = Isa::load(t + 1 < count ? upper + pass.row_bytes : upper);
    const Register low = Isa::interleave_low(a, b);
    const Register high = Isa::interleave_high(a, b);
    sums[0] = Isa::add(sums[0], Isa::multiply_add(Isa::interleave_low(low, zero), weight));
    sums[1] = Isa::add(sums[1], Isa::multiply_add(Isa::interleave_high(low, zero), weight));
    sums[2] = Isa::add(sums[2], Isa::multiply_add(Isa::interleave_low(high, zero), weight));
    sums[3] = Isa::add(sums[3], Isa::multiply_add(Isa::interleave_high(high, zero), weight));
  }
  for (Register& sum : sums) sum = Isa::shift(sum, taps.precision);
  Isa::store(to + x, Isa::to_bytes(sums));
}

template <typename Isa>
void resize_columns(const VerticalPass& pass) {
  if (pass.row_bytes < Isa::kBytes) return resize_columns_plain(pass);
  const ResizeTaps& taps = *pass.taps;
  for (std::size_t o = 0; o < taps.first.size(); ++o) {
    const std::int16_t* weights = &taps.weights[o * taps.num_taps];
    std::uint8_t* to = pass.to + pass.row_bytes * o;
    std::size_t x = 0;
    for (; x + Isa::kBytes <= pass.row_bytes; x += Isa::kBytes)
      resize_column_block<Isa>(pass, weights, taps.first[o], x, to);
    if (x < pass.row_bytes)  // the last block overlaps the one before
      resize_column_block<Isa>(pass, weights, taps.first[o], pass.row_bytes - Isa::kBytes, to);
  }
}

}  // namespace
}  // namespace tru::media
