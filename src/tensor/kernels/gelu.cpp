#include "tensor/kernels/gelu.h"

#include <bit>
#include <cmath>
#include <cstdint>

namespace tru::tensor {
namespace {

// e^x for |x| <= 87: 2^n * e^r with n = round(x / ln 2) and a polynomial for |r| <= ln(2) / 2.
// Written without branches so that the compiler turns the caller's loop into vector code.
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

// 0.5 (1 + tanh u) = 1 / (1 + e^(-2u)).
[[gnu::always_inline]] inline void gelu_loop(const float* x, float* y, std::size_t count) {
  constexpr float kScale = 1.5957691216057308f;  // 2 sqrt(2/pi)
  for (std::size_t i = 0; i < count; ++i) {
    const float v = x[i];
    float t = -kScale * (v + 0.044715f * v * v * v);
    t = t > 87.0f ? 87.0f : t;
    t = t < -87.0f ? -87.0f : t;
    y[i] = v / (1.0f + exp_bounded(t));
  }
}

#if defined(__x86_64__)
[[gnu::target("avx512f,avx512dq"), gnu::optimize("O3", "fp-contract=fast")]] void gelu_avx512(
    const float* x, float* y, std::size_t count) {
  gelu_loop(x, y, count);
}

[[gnu::target("avx2,fma"), gnu::optimize("O3", "fp-contract=fast")]] void gelu_avx2(
    const float* x, float* y, std::size_t count) {
  gelu_loop(x, y, count);
}
#endif

}  // namespace

void gelu_tanh(const float* x, float* y, std::size_t count) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) {
    return gelu_avx512(x, y, count);
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return gelu_avx2(x, y, count);
  }
#endif
  gelu_loop(x, y, count);
}

void gelu_tanh_reference(const float* x, float* y, std::size_t count) {
  constexpr double kSqrt2OverPi = 0.7978845608028654;
  for (std::size_t i = 0; i < count; ++i) {
    const double v = x[i];
    y[i] = static_cast<float>(0.5 * v * (1 + std::tanh(kSqrt2OverPi * (v + 0.044715 * v * v * v))));
  }
}

}  // namespace tru::tensor
