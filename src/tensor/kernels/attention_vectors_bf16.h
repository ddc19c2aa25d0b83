// Vectors of bf16 words, for attention_tile.h. Included behind a `#pragma GCC target`.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "tensor/kernels/attention_tile.h"
#include "tensor/kernels/floats_avx512.h"

namespace tru::tensor {
namespace {

struct VectorsBf16 {
  using Float = __m512;
  using Floats = FloatsAvx512;
  using Word = __m512i;
  static constexpr int kVectors = 1;
  static constexpr int kTilePanels = 2;
  static constexpr int kValues = 2;
  static constexpr float kScoreFactor = 1.44269504088896f;  // log2(e): powers of 2

  static Float dot(Float sum, Word panel, Word row) {
    return _mm512_dpbf16_ps(sum, (__m512bh)panel, (__m512bh)row);
  }
  static Word load(const std::uint32_t* p) { return _mm512_loadu_si512(p); }
  static Word broadcast(const std::uint32_t* p) {
    return _mm512_set1_epi32(static_cast<std::int32_t>(*p));
  }
  static Float zero() { return _mm512_setzero_ps(); }
  static void store(float* p, Float value) { _mm512_storeu_ps(p, value); }
  static void store_words(std::uint32_t* p, Float a, Float b) {
    _mm512_storeu_si512(p, (__m512i)_mm512_cvtne2ps_pbh(b, a));
  }
  static void store_pairs(std::uint32_t* p, Float a, Float b) {
    const auto numbers = (__m512i)_mm512_cvtne2ps_pbh(b, a);
    const __m512i first = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(numbers));
    const __m512i second = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(numbers, 1));
    _mm512_storeu_si512(p, _mm512_or_si512(first, _mm512_slli_epi32(second, 16)));
  }

  // 2^x = 2^floor(x) * 2^f by a polynomial for 2^f, whose relative error is below 8e-5: a fiftieth
  // of what rounding to bf16 adds.
  static Float power(Float x) {
    constexpr int kToFloor = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;
    const Float f = _mm512_reduce_ps(x, kToFloor);
    Float p = _mm512_fmadd_ps(_mm512_set1_ps(0.07802452f), f, _mm512_set1_ps(0.22606716f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.69583354f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.99992522f));
    return _mm512_scalef_ps(p, x);
  }
};

}  // namespace
}  // namespace tru::tensor
