#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "tensor/kernels/attention.h"

#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")

#include "tensor/kernels/attention_vectors_256.h"

namespace tru::tensor {
namespace {

struct Avx2 : Shorts256 {
  using Blocks = SixRowBlocks<Avx2>;

  static Sum dot(Sum sum, Word panel, Word row) {
    return added_in_place(sum, _mm256_madd_epi16(panel, row));
  }
};

}  // namespace

const AttentionKernels kAvx2Attention = {Avx2::kValues, Avx2::Blocks::kRows, pack<Avx2>,
                                         attend<Avx2>, attend_row<FloatsAvx2>};

}  // namespace tru::tensor

#pragma GCC pop_options

#endif
