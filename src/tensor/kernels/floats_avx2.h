// Eight floats; floats_portable.h says what the members mean. Included behind a
// `#pragma GCC target`.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace tru::tensor {
namespace {

struct FloatsAvx2 {
  using Float = __m256;
  static constexpr std::int64_t kLanes = 8;

  static Float load(const float* p) { return _mm256_loadu_ps(p); }
  static Float load_f16(const std::byte* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static void store(float* p, Float value) { _mm256_storeu_ps(p, value); }
  static Float set1(float value) { return _mm256_set1_ps(value); }
  static Float fma(Float a, Float b, Float c) { return _mm256_fmadd_ps(a, b, c); }
  static Float max(Float a, Float b) { return _mm256_max_ps(a, b); }
  static Float min(Float a, Float b) { return _mm256_min_ps(a, b); }
  static Float abs(Float x) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x); }
  static Float round(Float x) {
    return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  static Float scale(Float x, Float n) {
    const __m256i power = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_mul_ps(x, _mm256_castsi256_ps(_mm256_slli_epi32(power, 23)));
  }
  // x - floor(x), and p * 2^floor(x) for p of about 1; x < -125 counts as -125.
  static Float fraction(Float x) {
    x = bounded(x);
    return x - _mm256_floor_ps(x);
  }
  static Float scale_by_floor(Float p, Float x) {
    const __m256i power = _mm256_slli_epi32(_mm256_cvtps_epi32(_mm256_floor_ps(bounded(x))), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), power));
  }
  static Float bounded(Float x) { return _mm256_max_ps(x, _mm256_set1_ps(-125.0f)); }
  static float sum(Float x) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
  }
  static float largest(Float x) {
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
  }
  // The eight integers as 16-bit numbers.
  static __m128i shorts(Float x) {
    const __m256i values = _mm256_cvtps_epi32(x);
    return _mm_packs_epi32(_mm256_castsi256_si128(values), _mm256_extracti128_si256(values, 1));
  }
  static void store_rounded(std::int8_t* p, Float x) {
    const __m128i values = shorts(x);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(values, values));
  }
};

}  // namespace
}  // namespace tru::tensor
