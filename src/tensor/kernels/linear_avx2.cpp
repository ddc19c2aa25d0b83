// Few rows without 8-bit dot products: vpmaddubsw, which adds up products of unsigned and signed
// bytes two by two, in 16 bits that saturate. They do not here. (With an instruction more for each
// 32 products than in linear_avx2_many.cpp, whose way takes work that many rows have to share.)
#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/kernels/linear_layout.h"

#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")

#include "tensor/kernels/floats_avx2.h"
#include "tensor/kernels/linear_quantize.h"
#include "tensor/kernels/linear_tile.h"
#include "tensor/kernels/linear_vectors_256.h"

namespace tru::tensor {
namespace {

// Signed weights, times the inputs' signs: two products are at most 2 * 128 * 127.
struct Avx2Int8 : Vectors256 {
  static constexpr bool kSignedWeights = true;

  static Int dot(Int sum, Int weights, Int inputs) {
    const Int signed_weights = _mm256_sign_epi8(weights, inputs);
    return added_in_place(
        sum, four_products(_mm256_abs_epi8(inputs), signed_weights, _mm256_set1_epi16(1)));
  }

  template <PackedFormat>
  static Int part(const std::byte* p, int) {
    return _mm256_xor_si256(load_bytes(p), _mm256_set1_epi8(static_cast<char>(0x80)));
  }
};

// Two products are at most 2 * 15 * 128.
struct Avx2Int4 : Vectors256 {
  static Int dot(Int sum, Int weights, Int inputs) {
    return added_in_place(sum, four_products(weights, inputs, _mm256_set1_epi16(1)));
  }

  template <PackedFormat>
  static Int part(const std::byte* p, int step) {
    return low_halves(load_bytes(p), step);
  }
};

void multiply(const LinearTask& task) {
  task.shape.format == PackedFormat::int8 ? multiply_format<Avx2Int8, PackedFormat::int8>(task)
                                          : multiply_format<Avx2Int4, PackedFormat::int4>(task);
}

}  // namespace

const LinearKernels kAvx2Linear = {RowLayout::bytes, kTileRows, kTilesPerShare,
                                   quantize<FloatsAvx2, RowLayout::bytes>, multiply};

}  // namespace tru::tensor

#pragma GCC pop_options

#endif
