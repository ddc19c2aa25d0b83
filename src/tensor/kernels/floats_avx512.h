// Sixteen floats; floats_portable.h says what the members mean. Included behind a
// `#pragma GCC target`.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

// GCC 12 takes its own _mm512_undefined_ps() for a mistake (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"

namespace tru::tensor {
namespace {

struct FloatsAvx512 {
  using Float = __m512;
  static constexpr std::int64_t kLanes = 16;

  static Float load(const float* p) { return _mm512_loadu_ps(p); }
  static Float load_f16(const std::byte* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static void store(float* p, Float value) { _mm512_storeu_ps(p, value); }
  static Float set1(float value) { return _mm512_set1_ps(value); }
  static Float fma(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
  static Float max(Float a, Float b) { return _mm512_max_ps(a, b); }
  static Float min(Float a, Float b) { return _mm512_min_ps(a, b); }
  static Float abs(Float x) { return _mm512_abs_ps(x); }
  static Float round(Float x) {
    return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  static Float scale(Float x, Float n) { return _mm512_scalef_ps(x, n); }
  // x - floor(x), and p * 2^floor(x).
  static Float fraction(Float x) {
    return _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  }
  static Float scale_by_floor(Float p, Float x) { return _mm512_scalef_ps(p, x); }
  static float sum(Float x) { return _mm512_reduce_add_ps(x); }
  static float largest(Float x) { return _mm512_reduce_max_ps(x); }
  static void store_rounded(std::int8_t* p, Float x) {
    const __m128i bytes = _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(x));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
  }
};

}  // namespace
}  // namespace tru::tensor
