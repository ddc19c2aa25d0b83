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
};

}  // namespace
}  // namespace tru::tensor
