// What the 256-bit levels share: a panel's 16 channels in two vectors. Included behind a
// `#pragma GCC target`, as linear_tile.h is.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "tensor/kernels/floats_avx2.h"

namespace tru::tensor {
namespace {

struct Vectors256 {
  using Int = __m256i;
  using Float = __m256;
  static constexpr int kVectors = 2;
  static constexpr int kTilePanels = 1;
  static constexpr bool kSignedWeights = false;

  static Int load_bytes(const std::byte* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static Int broadcast(const std::byte* p) {
    std::int32_t four;
    std::memcpy(&four, p, sizeof four);
    return _mm256_set1_epi32(four);
  }
  // int4: the weights of the step-th four channels.
  static Int low_halves(Int bytes, int step) {
    if (step != 0) bytes = _mm256_srli_epi16(bytes, 4);
    return _mm256_and_si256(bytes, _mm256_set1_epi8(0x0F));
  }
  // Sums of the products of bytes, four to a lane; two must fit into 16 bits. ones: 16-bit.
  static Int four_products(Int unsigned_bytes, Int signed_bytes, Int ones) {
    return _mm256_madd_epi16(_mm256_maddubs_epi16(unsigned_bytes, signed_bytes), ones);
  }
  static Int set1(std::int32_t value) { return _mm256_set1_epi32(value); }
  static Float set1(float value) { return _mm256_set1_ps(value); }
  static Int add_shifted(Int a, Int b) { return _mm256_add_epi32(a, _mm256_slli_epi32(b, 8)); }
  static Float convert(Int value) { return _mm256_cvtepi32_ps(value); }
  static Float fma(Float a, Float b, Float c) { return _mm256_fmadd_ps(a, b, c); }
  static Float mul(Float a, Float b) { return _mm256_mul_ps(a, b); }
  static Float add(Float a, Float b) { return _mm256_add_ps(a, b); }
  static Float load(const float* p) { return _mm256_loadu_ps(p); }
  static Float load_f16(const std::byte* p) { return FloatsAvx2::load_f16(p); }
  static void store(float* p, Float value) { _mm256_storeu_ps(p, value); }
};

}  // namespace
}  // namespace tru::tensor
