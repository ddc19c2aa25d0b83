// For processors without a level of their own, the references, and the choice.
#include <cmath>

#include "tensor/kernels/elementwise_loop.h"
#include "tensor/kernels/floats_portable.h"

namespace tru::tensor {

const ElementwiseKernels kPortableElementwise = {gelu_tanh_all<FloatsPortable>,
                                                 gelu_erf_all<FloatsPortable>};

const ElementwiseKernels& elementwise_kernels(CpuLevel level) {
  switch (level) {
#if defined(__x86_64__)
    case CpuLevel::avx2:
    case CpuLevel::avx_vnni:
      return kAvx2Elementwise;
    case CpuLevel::avx512_vnni:
    case CpuLevel::amx:
      return kAvx512Elementwise;
#endif
    default:
      return kPortableElementwise;
  }
}

double gelu_tanh_reference(double x) {
  constexpr double kSqrt2OverPi = 0.7978845608028654;
  return 0.5 * x * (1 + std::tanh(kSqrt2OverPi * (x + 0.044715 * x * x * x)));
}

double gelu_erf_reference(double x) {
  return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
}

}  // namespace tru::tensor
