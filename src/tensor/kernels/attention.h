// Softmax attention for many query rows at once, on the CPU.
//
// Keys and values are packed once for all queries that look at them, in panels of 16 lanes of
// 4-byte words, as linear layers' weights are: a word holds one f32 number, two bf16 ones or two
// 16-bit multiples of their row's unit, by the level. A block of query rows computes all its
// scores, their softmax in f32, and the sum of values; scores of a block stay in the cache, and
// there is no rescaling of partial sums.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/kernels/cpu_level.h"

namespace tru::tensor {

inline constexpr std::int64_t kAttentionLanes = 32;

// Keys and head dimensions are padded to whole lanes.
constexpr std::int64_t padded_to_lanes(std::int64_t count) {
  return (count + kAttentionLanes - 1) / kAttentionLanes * kAttentionLanes;
}

// Behind each row of scores and of powers: without it rows of 1024 keys, say, would lie in the same
// lines of the L1 cache.
inline constexpr std::int64_t kStepPadding = 16;

// Vectors that cross lines take twice as long.
struct alignas(64) CacheLine {
  float floats[16];
};

// Rows of one head: `row_bytes` apart, each of head_dim numbers, f32 or f16.
struct HeadRows {
  const std::byte* data = nullptr;
  std::int64_t row_bytes = 0;
  bool f16 = false;
};

// Keys and values of one head, packed.
struct PackedHead {
  std::byte* keys;    // [panels of 16 keys][words of a key][16 keys], f32 units of the keys
  std::byte* values;  // [panels of 16 dimensions][words of all keys][16 dimensions], f32 units
  std::int64_t head_dim;
  std::int64_t padded_keys;
};

struct AttentionTask {
  PackedHead head;
  const float* queries;     // first row
  std::int64_t query_step;  // floats from row to row
  std::int64_t count;       // rows, at most what the kernels take
  // Keys that a row sees: the first `visible`, and one more for each further row if `causal`.
  std::int64_t visible;
  bool causal;
  float scale;
  float* output;  // head_dim floats of the first row
  std::int64_t output_step;
  CacheLine* scratch;  // scratch_lines(head_dim, padded_keys)
};

struct AttentionKernels {
  std::int64_t values_per_word;
  std::int64_t rows;  // of queries that one call takes
  // Packs keys [first, first + 32) of `count` into their place; those beyond count become zero.
  void (*pack)(const HeadRows& keys, const HeadRows& values, std::int64_t first, std::int64_t count,
               const PackedHead& head);
  void (*attend)(const AttentionTask& task);

  // Bytes of a head's keys and of its values: the same.
  std::size_t packed_bytes(std::int64_t head_dim, std::int64_t keys) const;
  std::size_t scratch_lines(std::int64_t head_dim, std::int64_t padded_keys) const;
};

// The kernels of a level that this processor supports.
const AttentionKernels& attention_kernels(CpuLevel level);

extern const AttentionKernels kPortableAttention;
#if defined(__x86_64__)
extern const AttentionKernels kAvx2Attention;
extern const AttentionKernels kAvxVnniAttention;
extern const AttentionKernels kAvx512VnniAttention;
extern const AttentionKernels kAmxAttention;
#endif

}  // namespace tru::tensor
