#include "tensor/kernels/attention.h"

#include <algorithm>
#include <cmath>

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

std::int64_t part_floats(std::int64_t heads, std::int64_t head_dim) {
  return heads * (head_dim + 2);
}

AttentionPart part_at(float* block, std::int64_t index, std::int64_t heads, std::int64_t head_dim) {
  float* values = block + index * part_floats(heads, head_dim);
  float* largest = values + heads * head_dim;
  return {values, largest, largest + heads};
}

void join_parts(float* block, std::int64_t parts, std::int64_t heads, std::int64_t head_dim,
                float* output) {
  for (std::int64_t h = 0; h < heads; ++h) {
    float largest = part_at(block, 0, heads, head_dim).largest[h];
    for (std::int64_t p = 1; p < parts; ++p) {
      largest = std::max(largest, part_at(block, p, heads, head_dim).largest[h]);
    }
    float* out = output + h * head_dim;
    std::fill_n(out, head_dim, 0.0f);
    float sum = 0;
    for (std::int64_t p = 0; p < parts; ++p) {
      const AttentionPart part = part_at(block, p, heads, head_dim);
      const float factor = std::exp(part.largest[h] - largest);
      sum += factor * part.sums[h];
      for (std::int64_t i = 0; i < head_dim; ++i) out[i] += factor * part.values[h * head_dim + i];
    }
    for (std::int64_t i = 0; i < head_dim; ++i) out[i] /= sum;
  }
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
