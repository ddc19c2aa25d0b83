// Activations to 8 bits. Written without branches in its loops, so that a level's file, which calls
// it behind a `#pragma GCC target`, gets it in that level's vector code.
#pragma once

#include <bit>
#include <cstdint>

#include "tensor/kernels/linear.h"
#include "tensor/kernels/linear_layout.h"

namespace tru::tensor {

// Sizes as bits: of floats without a sign they order as the floats do.
[[gnu::always_inline]] inline float largest_magnitude(const float* x) {
  std::uint32_t largest = 0;
  for (std::int64_t i = 0; i < kGroupColumns; ++i) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(x[i]) & 0x7FFFFFFFu;
    largest = bits > largest ? bits : largest;
  }
  return std::bit_cast<float>(largest);
}

// x: 64 floats. values: rounded, as 32-bit integers.
[[gnu::always_inline]] inline void round_group(const float* x, std::int32_t* values, float& scale,
                                               std::int32_t& sum) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it leaves round(x) in the low bits
  const float largest = largest_magnitude(x);
  const float factor = largest > 0 ? 127.0f / largest : 0;
  std::int32_t total = 0;
  for (std::int64_t i = 0; i < kGroupColumns; ++i) {
    values[i] =
        std::bit_cast<std::int32_t>(x[i] * factor + kRound) - std::bit_cast<std::int32_t>(kRound);
    total += values[i];
  }
  scale = largest / 127.0f;
  sum = total;
}

// The words of a group. Value: int8_t, or int16_t for kernels that multiply 16-bit numbers; those
// take four channels in the order 0 2 1 3 (linear_avx2.cpp says why).
template <typename Value>
[[gnu::always_inline]] inline void make_words(const std::int32_t* values, std::uint32_t* words) {
  for (std::int64_t i = 0; i < kGroupColumns / 4; ++i) {
    const std::int32_t* v = values + 4 * i;
    const auto bits = [](std::int32_t value, int shift) {
      return (static_cast<std::uint32_t>(value) & (sizeof(Value) == 1 ? 0xFFu : 0xFFFFu)) << shift;
    };
    if constexpr (sizeof(Value) == 1) {
      words[i] = bits(v[0], 0) | bits(v[1], 8) | bits(v[2], 16) | bits(v[3], 24);
    } else {
      words[2 * i] = bits(v[0], 0) | bits(v[2], 16);
      words[2 * i + 1] = bits(v[1], 0) | bits(v[3], 16);
    }
  }
}

template <typename Value>
[[gnu::always_inline]] inline void quantize_row(const float* x, std::int64_t columns,
                                                const QuantizedRows& out, std::int64_t row) {
  constexpr std::int64_t kWords = kGroupColumns * sizeof(Value) / 4;
  const TilePlace place = place_of_row(out, kWords, row);
  auto* to = reinterpret_cast<std::uint32_t*>(out.values) + place.words;
  for (std::int64_t group = 0; group < out.groups; ++group) {
    const std::int64_t first = group * kGroupColumns;
    const float* from = x + first;
    float padded[kGroupColumns] = {};
    if (first + kGroupColumns > columns) {
      for (std::int64_t i = first; i < columns; ++i) padded[i - first] = x[i];
      from = padded;
    }
    std::int32_t values[kGroupColumns];
    std::uint32_t words[kWords];
    const std::int64_t at = place.group + group * place.rows;
    round_group(from, values, out.scales[at], out.sums[at]);
    make_words<Value>(values, words);
    for (std::int64_t i = 0; i < kWords; ++i) to[(group * kWords + i) * place.rows] = words[i];
  }
}

}  // namespace tru::tensor
