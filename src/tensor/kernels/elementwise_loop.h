// The loops of elementwise.h over the levels' floats. Included behind a level's
// `#pragma GCC target`.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tensor/kernels/elementwise.h"
#include "tensor/kernels/float_math.h"

namespace tru::tensor {
namespace {

template <class F, typename Function>
[[gnu::always_inline]] inline void for_each(const float* x, float* y, std::int64_t count,
                                            const Function& function) {
  std::int64_t i = 0;
  for (; i + F::kLanes <= count; i += F::kLanes) F::store(y + i, function(F::load(x + i)));
  if (i == count) return;
  float rest[F::kLanes] = {};
  std::copy_n(x + i, count - i, rest);
  F::store(rest, function(F::load(rest)));
  std::copy_n(rest, count - i, y + i);
}

template <class F>
void gelu_tanh_all(const float* x, float* y, std::int64_t count) {
  for_each<F>(x, y, count, gelu_tanh<F>);
}

template <class F>
void gelu_erf_all(const float* x, float* y, std::int64_t count) {
  for_each<F>(x, y, count, gelu_erf<F>);
}

}  // namespace
}  // namespace tru::tensor
