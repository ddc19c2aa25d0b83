#include "tensor/kernels/attention.h"

namespace tru::tensor {

std::size_t AttentionKernels::packed_bytes(std::int64_t head_dim, std::int64_t keys) const {
  return static_cast<std::size_t>((padded_to_lanes(head_dim) / values_per_word + 1) *
                                  padded_to_lanes(keys) * 4);
}

std::size_t AttentionKernels::scratch_lines(std::int64_t head_dim, std::int64_t padded_keys) const {
  // Of each row: scores, powers as words, the query as words.
  const std::int64_t floats = 2 * (padded_keys + kStepPadding) + padded_to_lanes(head_dim);
  return static_cast<std::size_t>(rows * floats * 4) / sizeof(CacheLine);
}

const AttentionKernels& attention_kernels(CpuLevel level) {
  switch (level) {
#if defined(__x86_64__)
    case CpuLevel::avx2:
      return kAvx2Attention;
    case CpuLevel::avx_vnni:
      return kAvxVnniAttention;
    case CpuLevel::avx512_vnni:
      return kAvx512VnniAttention;
    case CpuLevel::amx:
      return kAmxAttention;
#endif
    default:
      return kPortableAttention;
  }
}

}  // namespace tru::tensor
