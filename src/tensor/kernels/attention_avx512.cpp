#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "tensor/kernels/attention.h"

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")

#include "tensor/kernels/attention_tile.h"
#include "tensor/kernels/floats_avx512.h"

namespace tru::tensor {
namespace {

struct Avx512 : FloatWords<FloatsAvx512> {
  using Float = __m512;
  using Word = __m512;
  using Blocks = SixRowBlocks<Avx512>;
  static constexpr int kVectors = 1;
  static constexpr int kTilePanels = 2;

  static Float dot(Float sum, Word panel, Word row) { return _mm512_fmadd_ps(panel, row, sum); }
  static Word load(const std::uint32_t* p) {
    return _mm512_loadu_ps(reinterpret_cast<const float*>(p));
  }
  static Word broadcast(const std::uint32_t* p) {
    return _mm512_set1_ps(*reinterpret_cast<const float*>(p));
  }
  static Float zero() { return _mm512_setzero_ps(); }
  static void store(float* p, Float value) { _mm512_storeu_ps(p, value); }
};

}  // namespace

const AttentionKernels kAvx512Attention = {Avx512::kValues, Avx512::Blocks::kRows, pack<Avx512>,
                                           attend<Avx512>};

}  // namespace tru::tensor

#pragma GCC pop_options

#endif
