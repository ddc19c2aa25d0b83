#include "tensor/kernels/gelu.h"

#include <cmath>

#include "tensor/kernels/exp.h"

namespace tru::tensor {
namespace {

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
