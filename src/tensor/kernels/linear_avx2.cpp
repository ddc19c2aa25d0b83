// Few rows without 8-bit dot products: vpmaddwd on values widened to 16 bits, which is exact.
// (vpmaddubsw saturates; linear_avx2_many.cpp prevents that, by work that many rows have to share.)
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

struct Avx2 : Vectors256 {
  static constexpr int kStepColumns = 2;

  static Int dot(Int sum, Int weights, Int inputs) {
    return added_in_place(sum, _mm256_madd_epi16(weights, inputs));
  }

  // Of four bytes in a lane, the even ones and then the odd ones, as 16-bit numbers: inputs are
  // stored in that order. int4: the same, first of the low halves.
  template <PackedFormat format>
  static Int part(const std::byte* p, int step) {
    const Int bytes = load_bytes(p);
    if constexpr (format == PackedFormat::int8) {
      return step == 0 ? _mm256_and_si256(bytes, _mm256_set1_epi16(0xFF))
                       : _mm256_srli_epi16(bytes, 8);
    }
    constexpr int kShifts[] = {0, 8, 4, 12};
    return _mm256_and_si256(_mm256_srli_epi16(bytes, kShifts[step]), _mm256_set1_epi16(0x0F));
  }
};

}  // namespace

const LinearKernels kAvx2Linear = {RowLayout::shorts, kTileRows, kTilesPerShare,
                                   quantize<FloatsAvx2, RowLayout::shorts>, multiply<Avx2>};

}  // namespace tru::tensor

#pragma GCC pop_options

#endif
