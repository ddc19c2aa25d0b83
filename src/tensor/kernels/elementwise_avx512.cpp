#if defined(__x86_64__)

// GCC 12 takes its own _mm512_undefined_ps() for a mistake (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include <algorithm>
#include <cstdint>

#include "tensor/kernels/elementwise.h"

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")

#include "tensor/kernels/elementwise_loop.h"
#include "tensor/kernels/floats_avx512.h"

namespace tru::tensor {

const ElementwiseKernels kAvx512Elementwise = {gelu_tanh_all<FloatsAvx512>,
                                               gelu_erf_all<FloatsAvx512>};

}  // namespace tru::tensor

#pragma GCC pop_options

#endif
