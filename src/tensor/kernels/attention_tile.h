// Attention over the vector types of the levels. A level's file includes this behind its own
// `#pragma GCC target` and gives a type V with:
//   Word, Sum              vectors of 32-bit lanes
//   kVectors               vectors in 16 lanes
//   kTilePanels            panels that six rows take at once: as many sums as there are registers
//   kValues                numbers in a word: 1, f32, or 2, bf16 or 16-bit integers
//   kIntegers              whether they are integers: each row is multiples of a unit
//   dot(sum, panel, row)   adds, to each lane, the product of the words' numbers
//   store(p, sum)          as floats
//   Floats                 the level's type of floats_*.h
//   Blocks                 SixRowBlocks<V>, or who else multiplies blocks of rows
//   store_words(p, a, b)   two vectors of Floats as words, a's numbers and then b's
//   store_pairs(p, a, b)   words whose first number is of a and whose second, if any, of b
//   power(x)               e^(x / kScoreFactor) of Floats, x <= 0, as exact as words are
// and load, broadcast, zero.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "tensor/kernels/attention.h"
#include "tensor/kernels/f16.h"
#include "tensor/kernels/float_math.h"

namespace tru::tensor {
namespace {

constexpr std::int64_t kPanelLanes = 16;
constexpr int kTileRows6 = 6;
constexpr std::int64_t kMaxHeadDim = 512;

// What the levels have in common whose words are f32 numbers.
template <class F>
struct FloatWords {
  using Floats = F;
  static constexpr int kValues = 1;
  static constexpr bool kIntegers = false;
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

// The same of words of two numbers.
template <class F>
struct HalfWords {
  using Floats = F;
  static constexpr int kValues = 2;
  static constexpr float kScoreFactor = 1.44269504088896f;  // log2(e)

  static typename F::Float power(typename F::Float x) { return power_of_2<F>(x); }
};

// Integers of 16 bits. Sums of their products stay within 32:
// - of a query and a key, because neither is longer than kLength (Cauchy and Schwarz);
// - of powers and values, because values are at most kLargestValue and the powers of kChunk keys,
//   half a unit of rounding each included, at most kPowerSum + kChunk / 2.
constexpr float kLength = 32000;
constexpr float kLargestValue = 2047;
constexpr float kLargestPower = 32767;
constexpr std::int64_t kChunk = 2048;
constexpr float kPowerSum = (1 << 20) - kChunk;

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

// Rows lie far apart: what is needed soon is fetched in time.
inline void prefetch_row(const HeadRows& rows, std::int64_t row, std::int64_t count,
                         std::int64_t dim) {
  constexpr std::int64_t kAhead = 4;
  constexpr std::int64_t kLine = 64;
  const std::byte* from = rows.data + std::min(row + kAhead, count - 1) * rows.row_bytes;
  const std::int64_t bytes = dim * (rows.f16 ? 2 : 4);
  for (std::int64_t i = 0; i < bytes; i += kLine) __builtin_prefetch(from + i);
}

// Units of rows of integers, never zero.
constexpr float kLeast = 1e-30f;

template <class F>
float length_unit(const float* row, std::int64_t width) {
  typename F::Float squares = F::set1(0);
  for (std::int64_t i = 0; i < width; i += F::kLanes) {
    squares = F::fma(F::load(row + i), F::load(row + i), squares);
  }
  return std::max(std::sqrt(F::sum(squares)), kLeast) / kLength;
}

template <class F>
float value_unit(const float* row, std::int64_t width) {
  typename F::Float largest = F::set1(0);
  for (std::int64_t i = 0; i < width; i += F::kLanes) {
    largest = F::max(F::abs(F::load(row + i)), largest);
  }
  return std::max(F::largest(largest), kLeast) / kLargestValue;
}

// They lie behind the panels of the rows.
template <class V>
float* row_units(std::byte* panels, const PackedHead& head) {
  const std::int64_t width = padded_to_lanes(head.head_dim);
  return reinterpret_cast<float*>(panels + width * head.padded_keys / V::kValues * 4);
}

// A query or a key as words; returns their unit.
template <class V>
float row_words(const float* row, std::int64_t width, std::uint32_t* words) {
  using F = typename V::Floats;
  const float unit = V::kIntegers ? length_unit<F>(row, width) : 1;
  const auto factor = F::set1(1 / unit);
  for (std::int64_t d = 0; d < width; d += 2 * F::kLanes) {
    V::store_words(words + d / V::kValues, F::load(row + d) * factor,
                   F::load(row + d + F::kLanes) * factor);
  }
  return unit;
}

template <class V>
void pack(const HeadRows& keys, const HeadRows& values, std::int64_t first, std::int64_t count,
          const PackedHead& head) {
  using F = typename V::Floats;
  const std::int64_t dim = head.head_dim;
  const std::int64_t width = padded_to_lanes(dim);
  const std::int64_t key_words = width / V::kValues;
  const std::int64_t value_words = head.padded_keys / V::kValues;
  auto* key_panels = reinterpret_cast<std::uint32_t*>(head.keys);
  auto* value_panels = reinterpret_cast<std::uint32_t*>(head.values);
  float buffers[2][kMaxHeadDim];
  for (std::int64_t i = first; i < first + kAttentionLanes; ++i) {
    prefetch_row(keys, i, count, dim);
    const float* row = row_floats(keys, i, count, dim, width, buffers[0]);
    std::uint32_t words[kMaxHeadDim];
    const float unit = row_words<V>(row, width, words);
    if constexpr (V::kIntegers) row_units<V>(head.keys, head)[i] = unit;
    std::uint32_t* to = key_panels + i / kPanelLanes * key_words * kPanelLanes + i % kPanelLanes;
    for (std::int64_t w = 0; w < key_words; ++w) to[w * kPanelLanes] = words[w];
  }
  for (std::int64_t i = first; i < first + kAttentionLanes; i += V::kValues) {
    const float* rows[2];
    typename F::Float factors[2];
    for (std::int64_t j = 0; j < 2; ++j) {
      const std::int64_t row = i + std::min<std::int64_t>(j, V::kValues - 1);
      prefetch_row(values, row, count, dim);
      rows[j] = row_floats(values, row, count, dim, width, buffers[j]);
      const float unit = V::kIntegers ? value_unit<F>(rows[j], width) : 1;
      if constexpr (V::kIntegers) row_units<V>(head.values, head)[row] = unit;
      factors[j] = F::set1(1 / unit);
    }
    for (std::int64_t d = 0; d < width; d += F::kLanes) {
      const std::int64_t panel = d / kPanelLanes * value_words * kPanelLanes;
      V::store_pairs(value_panels + panel + i / V::kValues * kPanelLanes + d % kPanelLanes,
                     F::load(rows[0] + d) * factors[0], F::load(rows[1] + d) * factors[1]);
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
  typename V::Sum sums[kTileRows6][kVectors];
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

// One row of scores.
struct ScoreRow {
  float* scores;
  std::int64_t visible;  // how many of them
  float factor;          // what to multiply them with for V::power()
  float top = 0;         // the largest
};

// The largest score. Those that are products of integers are multiplied by their keys' units.
template <class V>
float largest_score(const ScoreRow row, const float* key_units) {
  using F = typename V::Floats;
  typename F::Float largest = F::set1(-std::numeric_limits<float>::max());
  std::int64_t i = 0;
  for (; i + F::kLanes <= row.visible; i += F::kLanes) {
    auto score = F::load(row.scores + i);
    if constexpr (V::kIntegers) {
      score = score * F::load(key_units + i);
      F::store(row.scores + i, score);
    }
    largest = F::max(score, largest);
  }
  float top = F::largest(largest);
  for (; i < row.visible; ++i) {
    if constexpr (V::kIntegers) row.scores[i] *= key_units[i];
    top = std::max(top, row.scores[i]);
  }
  return top;
}

// Two vectors of powers over the largest, zero where they are not visible.
template <class V>
struct Powers {
  using F = typename V::Floats;
  static constexpr std::int64_t kStep = 2 * F::kLanes;
  typename F::Float first, second;

  [[gnu::always_inline]] Powers(const ScoreRow& row, std::int64_t at) {
    const auto factor = F::set1(row.factor);
    const auto shift = F::set1(-row.top * row.factor);
    first = V::power(F::fma(F::load(row.scores + at), factor, shift));
    second = V::power(F::fma(F::load(row.scores + at + F::kLanes), factor, shift));
    if (at + kStep > row.visible) {
      float powers[kStep];
      F::store(powers, first);
      F::store(powers + F::kLanes, second);
      std::fill(powers + (row.visible - at), powers + kStep, 0.0f);
      first = F::load(powers);
      second = F::load(powers + F::kLanes);
    }
  }
};

// The powers of some keys: their sum, and what their words are multiples of.
struct PowerSum {
  float sum, unit;
};

// The powers of keys [begin, end) as words.
template <class V>
PowerSum float_powers(const ScoreRow row, std::int64_t begin, std::int64_t end,
                      std::uint32_t* words) {
  using F = typename V::Floats;
  typename F::Float sums = F::set1(0);
  std::int64_t i = begin;
  for (; i < std::min(end, row.visible); i += Powers<V>::kStep) {
    const Powers<V> powers(row, i);
    sums = sums + (powers.first + powers.second);
    V::store_words(words + (i - begin) / V::kValues, powers.first, powers.second);
  }
  std::fill(words + (i - begin) / V::kValues, words + (end - begin) / V::kValues, 0u);
  return {F::sum(sums), 1};
}

// The same as integers, each times the unit of its value. Their own unit is as small as 16 bits of
// a power and 32 of sums allow.
template <class V>
PowerSum integer_powers(const ScoreRow row, std::int64_t begin, std::int64_t end,
                        const float* value_units, std::uint32_t* words) {
  using F = typename V::Floats;
  constexpr std::int64_t kStep = Powers<V>::kStep;
  typename F::Float sums = F::set1(0), weighted = F::set1(0), largest = F::set1(0);
  std::int64_t seen = begin;
  for (; seen < std::min(end, row.visible); seen += kStep) {
    const Powers<V> powers(row, seen);
    sums = sums + (powers.first + powers.second);
    const auto first = powers.first * F::load(value_units + seen);
    const auto second = powers.second * F::load(value_units + seen + F::kLanes);
    weighted = weighted + (first + second);
    largest = F::max(largest, F::max(first, second));
    F::store(row.scores + seen, first);
    F::store(row.scores + seen + F::kLanes, second);
  }
  const float unit = std::max(F::largest(largest) / kLargestPower, F::sum(weighted) / kPowerSum);
  const auto factor = F::set1(1 / unit);
  for (std::int64_t i = begin; i < seen; i += kStep) {
    V::store_words(words + (i - begin) / V::kValues, F::load(row.scores + i) * factor,
                   F::load(row.scores + i + F::kLanes) * factor);
  }
  std::fill(words + (seen - begin) / V::kValues, words + (end - begin) / V::kValues, 0u);
  return {F::sum(sums), unit};
}

// Of the block's rows, as words; returns in `factors` what their scores are to be multiplied with.
template <class V>
void query_words(const AttentionTask& task, std::int64_t width, std::uint32_t* words,
                 float* factors) {
  const HeadRows rows{reinterpret_cast<const std::byte*>(task.queries),
                      task.query_step * static_cast<std::int64_t>(sizeof(float)), false};
  const std::int64_t step = width / V::kValues;
  std::fill_n(words, V::Blocks::kRows * step, 0u);
  for (std::int64_t r = 0; r < task.count; ++r) {
    float buffer[kMaxHeadDim];
    const float* row = row_floats(rows, r, task.count, task.head.head_dim, width, buffer);
    factors[r] = row_words<V>(row, width, words + r * step) * task.scale * V::kScoreFactor;
  }
}

// Adds powers times values, of keys [begin, begin + words * kValues), to the rows of the output;
// the first keys begin it.
template <class V>
void add_values(const AttentionTask& task, std::int64_t begin, std::int64_t words,
                const std::uint32_t* powers, std::int64_t power_step, const float* units) {
  using Blocks = typename V::Blocks;
  const std::int64_t dim = task.head.head_dim;
  const std::int64_t panel_words = task.head.padded_keys / V::kValues;
  const auto* panels =
      reinterpret_cast<const std::uint32_t*>(task.head.values) + begin / V::kValues * kPanelLanes;
  for (std::int64_t d = 0; d < dim; d += kAttentionLanes) {
    alignas(64) float block[Blocks::kRows * kAttentionLanes];
    Blocks::multiply(panels + d * panel_words, panel_words, powers, power_step, words, task.count,
                     block, kAttentionLanes);
    const std::int64_t lanes = std::min(kAttentionLanes, dim - d);
    for (std::int64_t r = 0; r < task.count; ++r) {
      float* out = task.output + r * task.output_step + d;
      const float* from = block + r * kAttentionLanes;
      if (begin == 0) std::fill_n(out, lanes, 0.0f);
      for (std::int64_t i = 0; i < lanes; ++i) out[i] += from[i] * units[r];
    }
  }
}

template <class V>
void attend(const AttentionTask& task) {
  using Blocks = typename V::Blocks;
  constexpr std::int64_t kRows = Blocks::kRows;
  const std::int64_t width = padded_to_lanes(task.head.head_dim);
  const std::int64_t row_step = width / V::kValues;
  const std::int64_t most = task.visible + (task.causal ? task.count - 1 : 0);
  const std::int64_t keys = padded_to_lanes(most);
  const std::int64_t score_step = keys + kStepPadding;
  const std::int64_t chunk = V::kIntegers ? std::min(keys, kChunk) : keys;
  const std::int64_t power_step = chunk / V::kValues + kStepPadding;
  float* scores = task.scratch->floats;
  auto* powers = reinterpret_cast<std::uint32_t*>(scores + kRows * score_step);
  auto* queries = powers + kRows * power_step;

  float factors[kRows];
  query_words<V>(task, width, queries, factors);
  const auto* key_panels = reinterpret_cast<const std::uint32_t*>(task.head.keys);
  Blocks::scores(key_panels, queries, row_step, keys, task.count, scores, score_step);
  ScoreRow rows[kRows];
  for (std::int64_t r = 0; r < task.count; ++r) {
    rows[r] = {scores + r * score_step, task.visible + (task.causal ? r : 0), factors[r]};
    rows[r].top = largest_score<V>(rows[r], row_units<V>(task.head.keys, task.head));
  }
  std::fill(powers + task.count * power_step, powers + kRows * power_step, 0u);
  float sums[kRows] = {};
  for (std::int64_t begin = 0; begin < keys; begin += chunk) {
    const std::int64_t end = std::min(begin + chunk, keys);
    float units[kRows] = {};
    for (std::int64_t r = 0; r < task.count; ++r) {
      std::uint32_t* words = powers + r * power_step;
      PowerSum sum;
      if constexpr (V::kIntegers) {
        const float* value_units = row_units<V>(task.head.values, task.head);
        sum = integer_powers<V>(rows[r], begin, end, value_units, words);
      } else {
        sum = float_powers<V>(rows[r], begin, end, words);
      }
      sums[r] += sum.sum;
      units[r] = sum.unit;
    }
    add_values<V>(task, begin, (end - begin) / V::kValues, powers, power_step, units);
  }
  for (std::int64_t r = 0; r < task.count; ++r) {
    const float factor = 1 / sums[r];
    float* out = task.output + r * task.output_step;
    for (std::int64_t i = 0; i < task.head.head_dim; ++i) out[i] *= factor;
  }
}

}  // namespace
}  // namespace tru::tensor
