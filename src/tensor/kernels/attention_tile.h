// Attention over the vector types of the levels. A level's file includes this behind its own
// `#pragma GCC target` and gives a type V with:
//   Word, Float            vectors of 32-bit lanes
//   kVectors               vectors in 16 lanes
//   kTilePanels            panels that six rows take at once: as many sums as there are registers
//   kValues                numbers in a word: 1, f32, or 2, bf16
//   dot(sum, panel, row)   adds, to each lane, the product of the words' numbers
//   Floats                 the level's type of floats_*.h
//   Blocks                 SixRowBlocks<V>, or who else multiplies blocks of rows
//   store_words(p, a, b)   two vectors of Floats as words, a's numbers and then b's
//   store_pairs(p, a, b)   words whose first number is of a and whose second, if any, of b
//   power(x)               e^(x / kScoreFactor) of Floats, x <= 0, as exact as words are
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

// What the levels have in common whose words are f32 numbers.
template <class F>
struct FloatWords {
  using Floats = F;
  static constexpr int kValues = 1;
  static constexpr float kScoreFactor = 1;

  static void store_words(std::uint32_t* p, typename F::Float a, typename F::Float b) {
    auto* floats = reinterpret_cast<float*>(p);
    F::store(floats, a);
    F::store(floats + F::kLanes, b);
  }
  static void store_pairs(std::uint32_t* p, typename F::Float a, typename F::Float) {
    F::store(reinterpret_cast<float*>(p), a);
  }
  static typename F::Float power(typename F::Float x) { return exp<F>(x); }
};

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

// A row as floats and zeros behind them, `width` in all: where it is, or in `buffer`.
inline const float* row_floats(const HeadRows& rows, std::int64_t row, std::int64_t count,
                               std::int64_t dim, std::int64_t width, float* buffer) {
  const std::byte* from = rows.data + row * rows.row_bytes;
  if (row < count && !rows.f16 && dim == width) return reinterpret_cast<const float*>(from);
  std::fill_n(buffer, width, 0.0f);
  if (row >= count) return buffer;
  if (rows.f16) {
    const auto* bits = reinterpret_cast<const std::uint16_t*>(from);
    for (std::int64_t i = 0; i < dim; ++i) buffer[i] = f16_value(bits[i]);
  } else {
    std::memcpy(buffer, from, static_cast<std::size_t>(dim) * sizeof(float));
  }
  return buffer;
}

constexpr std::int64_t rounded_up(std::int64_t value, std::int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

// Rows lie far apart: what is needed soon is fetched in time.
inline void prefetch_row(const HeadRows& rows, std::int64_t row, std::int64_t count,
                         std::int64_t dim) {
  constexpr std::int64_t kAhead = 4;
  constexpr std::int64_t kLine = 64;
  const std::byte* from = rows.data + std::min(row + kAhead, count - 1) * rows.row_bytes;
  const std::int64_t bytes = dim * (rows.f16 ? 2 : 4);
  for (std::int64_t i = 0; i < bytes; i += kLine) __builtin_prefetch(from + i);
}

template <class V>
void pack(const HeadRows& keys, const HeadRows& values, std::int64_t first, std::int64_t count,
          const PackedHead& head) {
  using F = typename V::Floats;
  constexpr std::int64_t kMaxHeadDim = 512;
  const std::int64_t dim = head.head_dim;
  const std::int64_t width = rounded_up(dim, kAttentionLanes);
  const std::int64_t key_words = width / V::kValues;
  const std::int64_t value_words = head.padded_keys / V::kValues;
  auto* key_panels = reinterpret_cast<std::uint32_t*>(head.keys);
  auto* value_panels = reinterpret_cast<std::uint32_t*>(head.values);
  float buffers[2][kMaxHeadDim];
  for (std::int64_t i = first; i < first + kAttentionLanes; ++i) {
    prefetch_row(keys, i, count, dim);
    const float* row = row_floats(keys, i, count, dim, width, buffers[0]);
    std::uint32_t words[kMaxHeadDim];
    for (std::int64_t d = 0; d < width; d += 2 * F::kLanes) {
      V::store_words(words + d / V::kValues, F::load(row + d), F::load(row + d + F::kLanes));
    }
    std::uint32_t* to = key_panels + i / kPanelLanes * key_words * kPanelLanes + i % kPanelLanes;
    for (std::int64_t w = 0; w < key_words; ++w) to[w * kPanelLanes] = words[w];
  }
  for (std::int64_t i = first; i < first + kAttentionLanes; i += V::kValues) {
    const float* rows[2];
    for (std::int64_t j = 0; j < 2; ++j) {
      const std::int64_t row = i + std::min<std::int64_t>(j, V::kValues - 1);
      prefetch_row(values, row, count, dim);
      rows[j] = row_floats(values, row, count, dim, width, buffers[j]);
    }
    for (std::int64_t d = 0; d < width; d += F::kLanes) {
      const std::int64_t panel = d / kPanelLanes * value_words * kPanelLanes;
      V::store_pairs(value_panels + panel + i / V::kValues * kPanelLanes + d % kPanelLanes,
                     F::load(rows[0] + d), F::load(rows[1] + d));
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

// Products of rows with all keys, kAttentionLanes at a time.
template <class Blocks>
void multiply_keys(const std::uint32_t* panels, const std::uint32_t* rows, std::int64_t words,
                   std::int64_t keys, std::int64_t count, float* scores, std::int64_t score_step) {
  for (std::int64_t key = 0; key < keys; key += kAttentionLanes) {
    Blocks::multiply(panels + key * words, words, rows, words, words, count, scores + key,
                     score_step);
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

  static constexpr auto scores = multiply_keys<SixRowBlocks>;
};

// A query times `scale`, as words, so that scores are what V::power() takes.
template <class V>
void query_row(const float* q, std::int64_t dim, float scale, std::uint32_t* words) {
  using F = typename V::Floats;
  scale *= V::kScoreFactor;
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

// Scores of one row -> words of their powers over the largest; returns the sum. Those not visible
// are zero.
template <class V>
float softmax_row(const float* scores, std::int64_t visible, std::int64_t count,
                  std::uint32_t* words) {
  using F = typename V::Floats;
  constexpr std::int64_t kStep = 2 * F::kLanes;
  const auto top = F::set1(largest_score<F>(scores, visible));
  typename F::Float sums = F::set1(0);
  std::int64_t i = 0;
  for (; i < visible; i += kStep) {
    auto first = V::power(F::load(scores + i) - top);
    auto second = V::power(F::load(scores + i + F::kLanes) - top);
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
  const std::int64_t score_step = keys + kStepPadding;
  const std::int64_t word_step = words + kStepPadding;
  float* scores = task.scratch;
  auto* power_words = reinterpret_cast<std::uint32_t*>(scores + kRows * score_step);
  auto* queries = power_words + kRows * word_step;
  float* sums = reinterpret_cast<float*>(queries + kRows * query_words);

  std::fill_n(queries, kRows * query_words, 0u);
  for (std::int64_t r = 0; r < task.count; ++r) {
    query_row<V>(task.queries + r * task.query_step, dim, task.scale, queries + r * query_words);
  }
  const auto* key_panels = reinterpret_cast<const std::uint32_t*>(task.head.keys);
  Blocks::scores(key_panels, queries, query_words, keys, task.count, scores, score_step);
  std::fill_n(sums, kRows, 1.0f);
  std::fill(power_words + task.count * word_step, power_words + kRows * word_step, 0u);
  for (std::int64_t r = 0; r < task.count; ++r) {
    const std::int64_t visible = task.visible + (task.causal ? r : 0);
    sums[r] = softmax_row<V>(scores + r * score_step, visible, keys, power_words + r * word_step);
  }
  const auto* value_panels = reinterpret_cast<const std::uint32_t*>(task.head.values);
  const std::int64_t value_words = task.head.padded_keys / V::kValues;
  for (std::int64_t d = 0; d < width; d += kAttentionLanes) {
    float block[kRows * kAttentionLanes];
    Blocks::multiply(value_panels + d * value_words, value_words, power_words, word_step, words,
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
