// e^x without branches, for loops that the compiler turns into vector code.
#pragma once

#include <bit>
#include <cstdint>

namespace tru::tensor {

// For |x| <= 87: 2^n * e^r with n = round(x / ln 2) and a polynomial for |r| <= ln(2) / 2.
[[gnu::always_inline]] inline float exp_bounded(float x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it leaves round(x) in the low bits
  const float shifted = x * 1.44269504088896f + kRound;
  const float n = shifted - kRound;
  // ln 2 in two parts, the first exact in few bits, so that n * part loses nothing.
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const std::uint32_t power = (std::bit_cast<std::uint32_t>(shifted) + 127u) << 23;
  return p * std::bit_cast<float>(power);
}

}  // namespace tru::tensor
