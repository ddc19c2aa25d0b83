// Words of two 16-bit integers in vectors of eight, for attention_tile.h. Included behind a
// `#pragma GCC target`. A level adds dot() and Blocks.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "tensor/kernels/attention_row.h"
#include "tensor/kernels/attention_tile.h"
#include "tensor/kernels/floats_avx2.h"
#include "tensor/kernels/pinned.h"

namespace tru::tensor {
namespace {

struct Shorts256 : HalfWords<FloatsAvx2> {
  using Word = __m256i;
  using Sum = __m256i;
  static constexpr bool kIntegers = true;
  static constexpr int kVectors = 2;
  static constexpr int kTilePanels = 1;

  static Word load(const std::uint32_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static Word broadcast(const std::uint32_t* p) {
    return _mm256_set1_epi32(static_cast<std::int32_t>(*p));
  }
  static Sum zero() { return _mm256_setzero_si256(); }
  static void store(float* p, Sum sum) { _mm256_storeu_ps(p, _mm256_cvtepi32_ps(sum)); }
  static void store_words(std::uint32_t* p, __m256 a, __m256 b) {
    const __m256i by_halves = _mm256_packs_epi32(_mm256_cvtps_epi32(a), _mm256_cvtps_epi32(b));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm256_permute4x64_epi64(by_halves, _MM_SHUFFLE(3, 1, 2, 0)));
  }
  static void store_pairs(std::uint32_t* p, __m256 a, __m256 b) {
    const __m256i second = _mm256_slli_epi32(_mm256_cvtps_epi32(b), 16);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm256_blend_epi16(_mm256_cvtps_epi32(a), second, 0xAA));
  }
};

}  // namespace
}  // namespace tru::tensor
