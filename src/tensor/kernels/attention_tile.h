// Attention over the vector types of the levels. A level's file includes this behind its own
// `#pragma GCC target` and gives a type V with:
//   Word, Float            vectors of 32-bit lanes
//   kVectors               vectors in 16 lanes
//   kTilePanels            panels that six rows take at once: as many sums as there are registers
//   kValues                numbers in a word: 1, f32, or 2, bf16
//   dot(sum, panel, row)   adds, to each lane, the product of the words' numbers
//   Floats                 the level's type of floats_*.h
//   Blocks                 SixRowBlocks<V>, or who else multiplies blocks of rows
//   store_words(p, a, b)   two vectors of Floats as words
// and load, broadcast, zero, store.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "tensor/kernels/attention.h"
#include "tensor/kernels/float_math.h"

namespace tru::tensor {
namespace {

constexpr std::int64_t kPanelLanes = 16;
constexpr int kTileRows6 = 6;

[[gnu::always_inline]] inline std::uint32_t bf16_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
}

// Two neighbours, or one and nothing, as a word.
template <class V>
[[gnu::always_inline]] inline std::uint32_t make_word(float first, float second) {
  if constexpr (V::kValues == 1) return std::bit_cast<std::uint32_t>(first);
  return bf16_bits(first) | bf16_bits(second) << 16;
}

inline float f16_value(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000) << 16;
  const std::uint32_t magnitude = bits & 0x7FFF;
  // Shifted into place, the exponent is 112 too small; the product puts that right, subnormals
  // included.
  const float value = std::bit_cast<float>(magnitude << 13) * 0x1p112f;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) | sign);
}

// A row as floats.
[[gnu::always_inline]] inline void read_row(const HeadRows& rows, std::int64_t row,
                                            std::int64_t count, float* out) {
  const std::byte* from = rows.data + row * rows.row_bytes;
  if (!rows.f16) {
    std::memcpy(out, from, static_cast<std::size_t>(count) * sizeof(float));
    return;
  }
  const auto* bits = reinterpret_cast<const std::uint16_t*>(from);
  for (std::int64_t i = 0; i < count; ++i) out[i] = f16_value(bits[i]);
}

constexpr std::int64_t rounded_up(std::int64_t value, std::int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

template <class V>
void pack(const HeadRows& keys, const HeadRows& values, std::int64_t first, std::int64_t count,
          const PackedHead& head) {
  constexpr std::int64_t kMaxHeadDim = 512;
  const std::int64_t dim = head.head_dim;
  const std::int64_t width = rounded_up(dim, kAttentionLanes);
  const std::int64_t key_words = width / V::kValues;
  const std::int64_t value_words = head.padded_keys / V::kValues;
  auto* key_panels = reinterpret_cast<std::uint32_t*>(head.keys);
  auto* value_panels = reinterpret_cast<std::uint32_t*>(head.values);
  float rows[2][kMaxHeadDim] = {};
  for (std::int64_t i = first; i < first + kAttentionLanes; ++i) {
    float* row = rows[0];
    std::fill_n(row, width, 0.0f);
    if (i < count) read_row(keys, i, dim, row);
    std::uint32_t* to = key_panels + i / kPanelLanes * key_words * kPanelLanes + i % kPanelLanes;
    for (std::int64_t w = 0; w < key_words; ++w) {
      to[w * kPanelLanes] = make_word<V>(row[w * V::kValues], row[w * V::kValues + V::kValues - 1]);
    }
  }
  for (std::int64_t i = first; i < first + kAttentionLanes; i += V::kValues) {
    for (std::int64_t j = 0; j < V::kValues; ++j) {
      std::fill_n(rows[j], width, 0.0f);
      if (i + j < count) read_row(values, i + j, dim, rows[j]);
    }
    for (std::int64_t d = 0; d < width; ++d) {
      const std::int64_t panel = d / kPanelLanes * value_words * kPanelLanes;
      value_panels[panel + i / V::kValues * kPanelLanes + d % kPanelLanes] =
          make_word<V>(rows[0][d], rows[V::kValues - 1][d]);
    }
  }
}

// out[r][0 .. 16 * kTilePanels) = the products of six rows of words with the panels' words.
template <class V>
[[gnu::noinline]] void multiply_tile(const std::uint32_t* panels, std::int64_t panel_words,
                                     const std::uint32_t* rows, std::int64_t row_words,
                                     std::int64_t words, float* out, std::int64_t out_step) {
  constexpr int kVectors = V::kTilePanels * V::kVectors;
  constexpr std::int64_t kLanes = kPanelLanes / V::kVectors;
  typename V::Float sums[kTileRows6][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kTileRows6; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sums[r][v] = V::zero();
  }
#pragma GCC unroll 1
  for (std::int64_t w = 0; w < words; ++w) {
    typename V::Word panel[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      panel[v] = V::load(panels + v / V::kVectors * panel_words * kPanelLanes + w * kPanelLanes +
                         v % V::kVectors * kLanes);
    }
#pragma GCC unroll 8
    for (int r = 0; r < kTileRows6; ++r) {
      const typename V::Word row = V::broadcast(rows + r * row_words + w);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sums[r][v] = V::dot(sums[r][v], panel[v], row);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kTileRows6; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) V::store(out + r * out_step + v * kLanes, sums[r][v]);
  }
}

// Two sixes of rows against kAttentionLanes lanes.
template <class V>
struct SixRowBlocks {
  static constexpr std::int64_t kRows = 2 * kTileRows6;

  // Of the first `count` rows, and perhaps of more.
  static void multiply(const std::uint32_t* panels, std::int64_t panel_words,
                       const std::uint32_t* rows, std::int64_t row_words, std::int64_t words,
                       std::int64_t count, float* out, std::int64_t out_step) {
    constexpr std::int64_t kLanes = V::kTilePanels * kPanelLanes;
    for (std::int64_t lane = 0; lane < kAttentionLanes; lane += kLanes) {
      for (std::int64_t row = 0; row < count; row += kTileRows6) {
        multiply_tile<V>(panels + lane * panel_words, panel_words, rows + row * row_words,
                         row_words, words, out + row * out_step + lane, out_step);
      }
    }
  }
};

// A query times `scale`, as words.
template <class V>
void query_row(const float* q, std::int64_t dim, float scale, std::uint32_t* words) {
  using F = typename V::Floats;
  const auto factor = F::set1(scale);
  std::int64_t d = 0;
  for (; d + 2 * F::kLanes <= dim; d += 2 * F::kLanes) {
    V::store_words(words + d / V::kValues, F::load(q + d) * factor,
                   F::load(q + d + F::kLanes) * factor);
  }
  for (; d < dim; d += V::kValues) {
    const float second = d + V::kValues - 1 < dim ? q[d + V::kValues - 1] : 0.0f;
    words[d / V::kValues] = make_word<V>(q[d] * scale, second * scale);
  }
}

// Of the first `count` of a row.
template <class F>
float largest_score(const float* scores, std::int64_t count) {
  typename F::Float largest = F::set1(scores[0]);
  std::int64_t i = 0;
  for (; i + F::kLanes <= count; i += F::kLanes) largest = F::max(F::load(scores + i), largest);
  float top = F::largest(largest);
  for (; i < count; ++i) top = std::max(top, scores[i]);
  return top;
}

// Scores of one row -> words of e^(score - largest); returns their sum. Those not visible are zero.
template <class V>
float softmax_row(const float* scores, std::int64_t visible, std::int64_t count,
                  std::uint32_t* words) {
  using F = typename V::Floats;
  constexpr std::int64_t kStep = 2 * F::kLanes;
  const auto top = F::set1(largest_score<F>(scores, visible));
  typename F::Float sums = F::set1(0);
  std::int64_t i = 0;
  for (; i < visible; i += kStep) {
    auto first = exp<F>(F::load(scores + i) - top);
    auto second = exp<F>(F::load(scores + i + F::kLanes) - top);
    if (i + kStep > visible) {
      float powers[kStep];
      F::store(powers, first);
      F::store(powers + F::kLanes, second);
      std::fill(powers + (visible - i), powers + kStep, 0.0f);
      first = F::load(powers);
      second = F::load(powers + F::kLanes);
    }
    sums = sums + (first + second);
    V::store_words(words + i / V::kValues, first, second);
  }
  std::fill(words + i / V::kValues, words + count / V::kValues, 0u);
  return F::sum(sums);
}

template <class V>
void attend(const AttentionTask& task) {
  using Blocks = typename V::Blocks;
  constexpr std::int64_t kRows = Blocks::kRows;
  const std::int64_t dim = task.head.head_dim;
  const std::int64_t width = rounded_up(dim, kAttentionLanes);
  const std::int64_t query_words = width / V::kValues;
  const std::int64_t most = task.visible + (task.causal ? task.count - 1 : 0);
  const std::int64_t keys = rounded_up(most, kAttentionLanes);
  const std::int64_t words = keys / V::kValues;
  float* scores = task.scratch;
  auto* power_words = reinterpret_cast<std::uint32_t*>(scores + kRows * keys);
  auto* queries = power_words + kRows * words;
  float* sums = reinterpret_cast<float*>(queries + kRows * query_words);

  std::fill_n(queries, kRows * query_words, 0u);
  for (std::int64_t r = 0; r < task.count; ++r) {
    query_row<V>(task.queries + r * task.query_step, dim, task.scale, queries + r * query_words);
  }
  const auto* key_panels = reinterpret_cast<const std::uint32_t*>(task.head.keys);
  for (std::int64_t key = 0; key < keys; key += kAttentionLanes) {
    Blocks::multiply(key_panels + key * query_words, query_words, queries, query_words, query_words,
                     task.count, scores + key, keys);
  }
  std::fill_n(sums, kRows, 1.0f);
  std::fill(power_words + task.count * words, power_words + kRows * words, 0u);
  for (std::int64_t r = 0; r < task.count; ++r) {
    const std::int64_t visible = task.visible + (task.causal ? r : 0);
    sums[r] = softmax_row<V>(scores + r * keys, visible, keys, power_words + r * words);
  }
  const auto* value_panels = reinterpret_cast<const std::uint32_t*>(task.head.values);
  const std::int64_t value_words = task.head.padded_keys / V::kValues;
  for (std::int64_t d = 0; d < width; d += kAttentionLanes) {
    float block[kRows * kAttentionLanes];
    Blocks::multiply(value_panels + d * value_words, value_words, power_words, words, words,
                     task.count, block, kAttentionLanes);
    for (std::int64_t r = 0; r < task.count; ++r) {
      const float factor = 1.0f / sums[r];
      float* out = task.output + r * task.output_step + d;
      const float* from = block + r * kAttentionLanes;
      for (std::int64_t i = 0; i < std::min(kAttentionLanes, dim - d); ++i) {
        out[i] = from[i] * factor;
      }
    }
  }
}

}  // namespace
}  // namespace tru::tensor
