#include "tensor/kernels/attention.h"

namespace tru::tensor {
namespace {

std::int64_t padded(std::int64_t value) {
  return (value + kAttentionLanes - 1) / kAttentionLanes * kAttentionLanes;
}

}  // namespace

std::size_t AttentionKernels::packed_bytes(std::int64_t head_dim, std::int64_t keys) const {
  return static_cast<std::size_t>(padded(head_dim) * padded(keys) / values_per_word * 4);
}

std::size_t AttentionKernels::scratch_floats(std::int64_t head_dim,
                                             std::int64_t padded_keys) const {
  // Of each row: scores, powers as words, the query as words, the sum.
  return static_cast<std::size_t>(rows * (2 * (padded_keys + kStepPadding) + padded(head_dim) + 1));
}

const AttentionKernels& attention_kernels(CpuLevel level) {
  switch (level) {
#if defined(__x86_64__)
    case CpuLevel::avx2:
    case CpuLevel::avx_vnni:
      return kAvx2Attention;
    case CpuLevel::avx512_vnni:
      return kAvx512Attention;
    case CpuLevel::avx512_bf16:
      return kAvx512Bf16Attention;
    case CpuLevel::amx:
      return kAmxAttention;
#endif
    default:
      return kPortableAttention;
  }
}

}  // namespace tru::tensor
