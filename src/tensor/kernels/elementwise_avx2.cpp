#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cstdint>

#include "tensor/kernels/elementwise.h"

#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")

#include "tensor/kernels/elementwise_loop.h"
#include "tensor/kernels/floats_avx2.h"

namespace tru::tensor {

const ElementwiseKernels kAvx2Elementwise = {gelu_tanh_all<FloatsAvx2>, gelu_erf_all<FloatsAvx2>};

}  // namespace tru::tensor

#pragma GCC pop_options

#endif
