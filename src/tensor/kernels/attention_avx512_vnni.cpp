#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "tensor/kernels/attention.h"

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")

#include "tensor/kernels/attention_row.h"
#include "tensor/kernels/attention_tile.h"
#include "tensor/kernels/floats_avx512.h"
#include "tensor/kernels/pinned.h"

namespace tru::tensor {
namespace {

struct Avx512Vnni : HalfWords<FloatsAvx512> {
  using Word = __m512i;
  using Sum = __m512i;
  using Blocks = SixRowBlocks<Avx512Vnni>;
  static constexpr bool kIntegers = true;
  static constexpr int kVectors = 1;
  static constexpr int kTilePanels = 2;

  static Sum dot(Sum sum, Word panel, Word row) {
    return pinned(_mm512_dpwssd_epi32(sum, panel, row));
  }
  static Word load(const std::uint32_t* p) { return _mm512_loadu_si512(p); }
  static Word broadcast(const std::uint32_t* p) {
    return _mm512_set1_epi32(static_cast<std::int32_t>(*p));
  }
  static Sum zero() { return _mm512_setzero_si512(); }
  static void store(float* p, Sum sum) { _mm512_storeu_ps(p, _mm512_cvtepi32_ps(sum)); }
  static void store_words(std::uint32_t* p, __m512 a, __m512 b) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), shorts(a));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 8), shorts(b));
  }
  static void store_pairs(std::uint32_t* p, __m512 a, __m512 b) {
    const __m512i second = _mm512_slli_epi32(_mm512_cvtps_epi32(b), 16);
    _mm512_storeu_si512(p, _mm512_mask_blend_epi16(0xAAAAAAAA, _mm512_cvtps_epi32(a), second));
  }
  static __m256i shorts(__m512 x) { return _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(x)); }
};

}  // namespace

const AttentionKernels kAvx512VnniAttention = {Avx512Vnni::kValues, Avx512Vnni::Blocks::kRows,
                                               pack<Avx512Vnni>, attend<Avx512Vnni>,
                                               attend_row<FloatsAvx512>};

}  // namespace tru::tensor

#pragma GCC pop_options

#endif
