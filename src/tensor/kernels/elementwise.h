// Functions of single numbers over whole arrays, exact to f32 rounding. ggml's own GELU looks
// values up in an f16 table, which moves first-token logprobs by more than the 0.002 we promise.
#pragma once

#include <cstdint>

#include "tensor/kernels/cpu_level.h"

namespace tru::tensor {

// x and y: `count` numbers each, which may be the same. Errors are bounded by so much of the larger
// of 1 and |y|.
struct ElementwiseKernels {
  void (*gelu_tanh)(const float* x, float* y, std::int64_t count);  // 4e-7
  void (*gelu_erf)(const float* x, float* y, std::int64_t count);   // 1e-6
};

// The kernels of a level that this processor supports.
const ElementwiseKernels& elementwise_kernels(CpuLevel level);

// By their formulas in double precision: what the kernels are tested against.
// 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
double gelu_tanh_reference(double x);
// 0.5 x (1 + erf(x / sqrt 2))
double gelu_erf_reference(double x);

extern const ElementwiseKernels kPortableElementwise;
#if defined(__x86_64__)
extern const ElementwiseKernels kAvx2Elementwise;
extern const ElementwiseKernels kAvx512Elementwise;
#endif

}  // namespace tru::tensor
