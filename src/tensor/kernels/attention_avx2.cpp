#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "tensor/kernels/attention.h"

#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")

#include "tensor/kernels/attention_tile.h"
#include "tensor/kernels/floats_avx2.h"

namespace tru::tensor {
namespace {

struct Avx2 : FloatWords<FloatsAvx2> {
  using Float = __m256;
  using Word = __m256;
  using Blocks = SixRowBlocks<Avx2>;
  static constexpr int kVectors = 2;
  static constexpr int kTilePanels = 1;

  static Float dot(Float sum, Word panel, Word row) { return _mm256_fmadd_ps(panel, row, sum); }
  static Word load(const std::uint32_t* p) {
    return _mm256_loadu_ps(reinterpret_cast<const float*>(p));
  }
  static Word broadcast(const std::uint32_t* p) {
    return _mm256_broadcast_ss(reinterpret_cast<const float*>(p));
  }
  static Float zero() { return _mm256_setzero_ps(); }
  static void store(float* p, Float value) { _mm256_storeu_ps(p, value); }
};

}  // namespace

const AttentionKernels kAvx2Attention = {Avx2::kValues, Avx2::Blocks::kRows, pack<Avx2>,
                                         attend<Avx2>};

}  // namespace tru::tensor

#pragma GCC pop_options

#endif
