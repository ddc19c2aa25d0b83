// 512-bit vectors: a panel's 16 channels in one of them.
#if defined(__x86_64__)

// GCC 12 takes its own _mm512_undefined_ps() for a mistake (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/kernels/linear_layout.h"

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")

#include "tensor/kernels/floats_avx512.h"
#include "tensor/kernels/linear_quantize.h"
#include "tensor/kernels/linear_tile.h"

namespace tru::tensor {
namespace {

struct Avx512Vnni {
  using Int = __m512i;
  using Float = __m512;
  static constexpr int kVectors = 1;
  static constexpr int kTilePanels = 2;
  static constexpr bool kSignedWeights = false;

  static Int dot(Int sum, Int weights, Int inputs) {
    return pinned(_mm512_dpbusd_epi32(sum, weights, inputs));
  }

  template <PackedFormat format>
  static Int part(const std::byte* p, int step) {
    const Int bytes = _mm512_loadu_si512(p);
    if constexpr (format == PackedFormat::int8) return bytes;
    const Int half = step == 0 ? bytes : _mm512_srli_epi16(bytes, 4);
    return _mm512_and_si512(half, _mm512_set1_epi8(0x0F));
  }

  static Int broadcast(const std::byte* p) {
    std::int32_t four;
    std::memcpy(&four, p, sizeof four);
    return _mm512_set1_epi32(four);
  }
  static Int set1(std::int32_t value) { return _mm512_set1_epi32(value); }
  static Float set1(float value) { return _mm512_set1_ps(value); }
  static Int add_shifted(Int a, Int b) { return _mm512_add_epi32(a, _mm512_slli_epi32(b, 8)); }
  static Float convert(Int value) { return _mm512_cvtepi32_ps(value); }
  static Float fma(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
  static Float mul(Float a, Float b) { return _mm512_mul_ps(a, b); }
  static Float add(Float a, Float b) { return _mm512_add_ps(a, b); }
  static Float load(const float* p) { return _mm512_loadu_ps(p); }
  static Float load_f16(const std::byte* p) { return FloatsAvx512::load_f16(p); }
  static void store(float* p, Float value) { _mm512_storeu_ps(p, value); }
};

}  // namespace

const LinearKernels kAvx512VnniLinear = {RowLayout::bytes, kTileRows, kTilesPerShare,
                                         quantize<FloatsAvx512, RowLayout::bytes>,
                                         multiply<Avx512Vnni>};

}  // namespace tru::tensor

#pragma GCC pop_options

#endif
