#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "tensor/kernels/attention.h"

#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,avxvnni")

#include "tensor/kernels/attention_vectors_256.h"

namespace tru::tensor {
namespace {

struct AvxVnni : Shorts256 {
  using Blocks = SixRowBlocks<AvxVnni>;

  static Sum dot(Sum sum, Word panel, Word row) {
    return pinned(_mm256_dpwssd_avx_epi32(sum, panel, row));
  }
};

}  // namespace

const AttentionKernels kAvxVnniAttention = {AvxVnni::kValues, AvxVnni::Blocks::kRows, pack<AvxVnni>,
                                            attend<AvxVnni>, attend_row<FloatsAvx2>};

}  // namespace tru::tensor

#pragma GCC pop_options

#endif
