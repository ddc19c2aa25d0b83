// 8-bit dot products on 256-bit vectors.
#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/kernels/linear_layout.h"

#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,avxvnni")

#include "tensor/kernels/floats_avx2.h"
#include "tensor/kernels/linear_quantize.h"
#include "tensor/kernels/linear_tile.h"
#include "tensor/kernels/linear_vectors_256.h"

namespace tru::tensor {
namespace {

struct AvxVnni : Vectors256 {
  static Int dot(Int sum, Int weights, Int inputs) {
    return pinned(_mm256_dpbusd_avx_epi32(sum, weights, inputs));
  }

  template <PackedFormat format>
  static Int part(const std::byte* p, int step) {
    const Int bytes = load_bytes(p);
    if constexpr (format == PackedFormat::int8) return bytes;
    return low_halves(bytes, step);
  }
};

}  // namespace

const LinearKernels kAvxVnniLinear = {RowLayout::bytes, kTileRows, kTilesPerShare,
                                      quantize<FloatsAvx2, RowLayout::bytes>, multiply<AvxVnni>};

}  // namespace tru::tensor

#pragma GCC pop_options

#endif
