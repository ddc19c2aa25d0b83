// Softmax attention on the CPU: for many query rows at once, and for one.
//
// Many: keys and values are packed once for all queries that look at them, in panels of 16 lanes of
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

// One row of all heads of a query. Keys and values are rows of all key heads as they come, both f32
// or both f16; consecutive heads share a key head.
struct RowAttentionTask {
  std::int64_t head_dim;  // whole lanes: padded_to_lanes() of it is the same
  std::int64_t heads, key_heads;
  const float* query;                 // of the first head
  std::int64_t query_step;            // floats from head to head
  HeadRows keys, values;              // of the first key head
  std::int64_t key_step, value_step;  // bytes from key head to key head
  float scale;
  float* scores;  // scratch: [heads][kAttentionPartKeys]
};

// Keys that one part of a row's attention sees at most: parts are shared among threads.
inline constexpr std::int64_t kAttentionPartKeys = 128;

constexpr std::int64_t attention_parts(std::int64_t keys) {
  return (keys + kAttentionPartKeys - 1) / kAttentionPartKeys;
}

// What a row's attention to some of its keys comes to.
struct AttentionPart {
  float* values;   // [heads][head_dim], each value times e^(score - largest), added up
  float* largest;  // [heads], of the scores
  float* sums;     // [heads], of e^(score - largest)
};

// The index-th part in a block of parts of part_floats() each.
std::int64_t part_floats(std::int64_t heads, std::int64_t head_dim);
AttentionPart part_at(float* block, std::int64_t index, std::int64_t heads, std::int64_t head_dim);

// The attention to the keys of all parts: output [heads][head_dim].
void join_parts(float* block, std::int64_t parts, std::int64_t heads, std::int64_t head_dim,
                float* output);

struct AttentionKernels {
  std::int64_t values_per_word;
  std::int64_t rows;  // of queries that one call takes
  // Packs keys [first, first + 32) of `count` into their place; those beyond count become zero.
  void (*pack)(const HeadRows& keys, const HeadRows& values, std::int64_t first, std::int64_t count,
               const PackedHead& head);
  void (*attend)(const AttentionTask& task);
  // To keys [first, first + count), at most kAttentionPartKeys of them.
  void (*attend_row)(const RowAttentionTask& task, std::int64_t first, std::int64_t count,
                     const AttentionPart& part);

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
