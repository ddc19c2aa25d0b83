// Activations to 8 bits, written once over the levels' floats (floats_*.h). A level's file includes
// this behind its own `#pragma GCC target`.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "tensor/kernels/float_math.h"
#include "tensor/kernels/linear.h"
#include "tensor/kernels/linear_layout.h"

namespace tru::tensor {
namespace {

// One row of the inputs, from the first channel that is asked for on, and what its prologue needs.
struct RowSource {
  explicit RowSource(const float* row = nullptr) : x(row), second(row), bias(row) {}

  const float* x;
  const float* second;  // x where there is none
  const float* bias;
  float mean = 0;
  float factor = 1;
};

template <class F>
float sum_of(const float* x, std::int64_t count) {
  typename F::Float sums = F::set1(0);
  std::int64_t i = 0;
  for (; i + F::kLanes <= count; i += F::kLanes) sums = sums + F::load(x + i);
  float sum = F::sum(sums);
  for (; i < count; ++i) sum += x[i];
  return sum;
}

// Of the distances from `mean`.
template <class F>
float sum_of_squares(const float* x, std::int64_t count, float mean) {
  typename F::Float sums = F::set1(0);
  std::int64_t i = 0;
  for (; i + F::kLanes <= count; i += F::kLanes) {
    const auto distance = F::load(x + i) - F::set1(mean);
    sums = F::fma(distance, distance, sums);
  }
  float sum = F::sum(sums);
  for (; i < count; ++i) sum += (x[i] - mean) * (x[i] - mean);
  return sum;
}

template <class F, Prologue prologue>
RowSource row_source(const QuantizeTask& task, std::int64_t row) {
  if (task.x_rows != nullptr) row = task.x_rows[row];
  const std::int64_t first = task.x.index(row, task.begin_span * kSpanColumns);
  RowSource source{task.x.values + first};
  if constexpr (prologue == Prologue::swiglu) source.second = task.second + first;
  const auto count = static_cast<float>(task.columns);
  if constexpr (prologue == Prologue::layer_norm) {
    source.bias = task.bias;
    source.mean = sum_of<F>(source.x, task.columns) / count;
  }
  if constexpr (prologue == Prologue::layer_norm || prologue == Prologue::rms_norm) {
    source.second = task.second;
    const float squares = sum_of_squares<F>(source.x, task.columns, source.mean);
    source.factor = 1.0f / std::sqrt(squares / count + task.epsilon);
  }
  return source;
}

// The values that are quantised, from channel i on.
template <class F, Prologue prologue>
[[gnu::always_inline]] inline typename F::Float apply(const RowSource& source, std::int64_t i) {
  const auto x = F::load(source.x + i);
  if constexpr (prologue == Prologue::gelu_tanh) return gelu_tanh<F>(x);
  if constexpr (prologue == Prologue::gelu_erf) return gelu_erf<F>(x);
  if constexpr (prologue == Prologue::swiglu) return silu<F>(x) * F::load(source.second + i);
  if constexpr (prologue == Prologue::rms_norm) {
    return x * F::set1(source.factor) * F::load(source.second + i);
  }
  if constexpr (prologue == Prologue::layer_norm) {
    const auto normed = (x - F::set1(source.mean)) * F::set1(source.factor);
    return F::fma(normed, F::load(source.second + i), F::load(source.bias + i));
  }
  return x;
}

// The channels of a span of one row, as many as a matrix has; the largest magnitude in each group.
struct SpanValues {
  alignas(64) float x[kSpanColumns];
  float largest[kSpanGroups];
};

// 64 channels.
template <class F, Prologue prologue>
[[gnu::always_inline]] inline float read_group(const RowSource& source, float* to) {
  constexpr std::int64_t kVectors = kGroupColumns / F::kLanes;
  constexpr std::int64_t kLineFloats = 16;
  // The other rows of the tile come before the next span of this one.
#pragma GCC unroll 4
  for (std::int64_t i = 0; i < kGroupColumns; i += kLineFloats) {
    __builtin_prefetch(source.x + kSpanColumns + i);
    if constexpr (prologue == Prologue::swiglu) {
      __builtin_prefetch(source.second + kSpanColumns + i);
    }
  }
  typename F::Float largest = F::set1(0);
#pragma GCC unroll 16
  for (std::int64_t v = 0; v < kVectors; ++v) {
    const auto x = apply<F, prologue>(source, v * F::kLanes);
    largest = F::max(F::abs(x), largest);
    F::store(to + v * F::kLanes, x);
  }
  return F::largest(largest);
}

// The channels of a group that a matrix has, and zeros: they stay zero under every prologue.
struct PaddedGroup {
  float x[kGroupColumns] = {};
  float second[kGroupColumns] = {};
  float bias[kGroupColumns] = {};

  PaddedGroup(const RowSource& source, std::int64_t first, std::int64_t count) {
    std::copy_n(source.x + first, count, x);
    std::copy_n(source.second + first, count, second);
    std::copy_n(source.bias + first, count, bias);
  }
};

// columns: of the row that there are.
template <class F, Prologue prologue>
void read_span(const RowSource& row, std::int64_t columns, std::int64_t first_group,
               std::int64_t groups, SpanValues& out) {
  for (std::int64_t g = 0; g < groups; ++g) {
    const std::int64_t first = (first_group + g) * kGroupColumns;
    RowSource part = row;
    if (first + kGroupColumns > columns) {
      const PaddedGroup padded(row, first, columns - first);
      part.x = padded.x;
      part.second = padded.second;
      part.bias = padded.bias;
      out.largest[g] = read_group<F, prologue>(part, out.x + g * kGroupColumns);
      continue;
    }
    part.x += first;
    part.second += first;
    part.bias += first;
    out.largest[g] = read_group<F, prologue>(part, out.x + g * kGroupColumns);
  }
}

// How a span is rounded.
struct SpanStep {
  float scale;    // the step
  float factor;   // 1 / step
  unsigned wide;  // bit g: multiples of group g take 16 bits
};

// The largest value decides, unless its group's is more than three times what is usual in the
// others (their root mean square); then the largest of these, and so on. So rounding adds at most
// 1.8 times the error that a step for each group would. Groups of nothing but zeros do not count.
inline SpanStep choose_step(const float (&largest)[kSpanGroups], std::int64_t groups) {
  constexpr double kFarAbove = 9;  // 3^2
  constexpr float kMost = 127 * 256 + 127;
  double rest = 0;
  std::int64_t others = -1;
  for (std::int64_t g = 0; g < groups; ++g) {
    rest += static_cast<double>(largest[g]) * largest[g];
    if (largest[g] > 0) ++others;
  }
  float top = 0;
  float base = 0;
  unsigned wide = 0;
  for (;;) {
    std::int64_t at = 0;
    base = -1;
    for (std::int64_t g = 0; g < groups; ++g) {
      if ((wide >> g & 1) == 0 && largest[g] > base) {
        at = g;
        base = largest[g];
      }
    }
    top = std::max(top, base);
    const double square = static_cast<double>(base) * base;
    rest -= square;
    if (others <= 0 || square * static_cast<double>(others) <= kFarAbove * rest) break;
    wide |= 1u << at;
    --others;
  }
  base = std::max(base, top * (127.0f / kMost));
  return {base / 127.0f, base > 0 ? 127.0f / base : 0, wide};
}

// Rounds a group's values. Returns the sum of the multiples, whole numbers below 2^22: exact.
template <class F>
[[gnu::always_inline]] inline std::int32_t round_group(const float* x, float factor,
                                                       std::int8_t* values) {
  typename F::Float sums = F::set1(0);
#pragma GCC unroll 16
  for (std::int64_t i = 0; i < kGroupColumns; i += F::kLanes) {
    const auto rounded = F::round(F::load(x + i) * F::set1(factor));
    sums = sums + rounded;
    F::store_rounded(values + i, rounded);
  }
  return static_cast<std::int32_t>(F::sum(sums));
}

// The same of values that do not fit into 8 bits.
[[gnu::noinline]] inline std::int32_t round_wide_group(const float* x, float factor,
                                                       std::int8_t* values, std::int8_t* upper) {
  std::int32_t sum = 0;
  for (std::int64_t i = 0; i < kGroupColumns; ++i) {
    const auto value = static_cast<std::int32_t>(std::lrintf(x[i] * factor));
    values[i] = static_cast<std::int8_t>(value);
    upper[i] = static_cast<std::int8_t>((value - values[i]) / 256);
    sum += value;
  }
  return sum;
}

// A tile's rows, rounded span by span. Words go by way of `lower_rows` and `upper_rows` to their
// places between those of the other rows.
template <class F, Prologue prologue, RowLayout layout, std::int64_t kRows>
class TileRounding {
 public:
  TileRounding(const QuantizeTask& task, std::int64_t tile)
      : task_(task), out_(task.out), index_(tile), tile_(task.out, tile) {}

  void run() {
    RowSource sources[kRows];
    for (std::int64_t r = 0; r < tile_.rows; ++r) {
      sources[r] = row_source<F, prologue>(task_, tile_.first + r);
    }
    for (std::int64_t span = task_.begin_span; span < task_.end_span; ++span) {
      std::uint8_t& wide = out_.wide_groups(index_, span);
      wide = 0;
      for (std::int64_t r = 0; r < tile_.rows; ++r) add_row(sources[r], span, r, wide);
      if constexpr (layout != RowLayout::lines) place_words(span, wide);
    }
  }

 private:
  using GroupRows = std::int8_t[kRows][kGroupColumns];

  std::int64_t groups_of(std::int64_t span) const {
    return std::min(kSpanGroups, out_.groups - span * kSpanGroups);
  }

  // A group's rows, row by row; g counts within the span.
  GroupRows& rows_of(std::byte* values, GroupRows (&words)[kSpanGroups], std::int64_t span,
                     std::int64_t g) {
    if constexpr (layout != RowLayout::lines) return words[g];
    const std::int64_t group = span * kSpanGroups + g;
    return *reinterpret_cast<GroupRows*>(values + tile_.values + group * kRows * kGroupColumns);
  }

  void add_row(const RowSource& source, std::int64_t span, std::int64_t row, std::uint8_t& wide) {
    SpanValues values;
    const std::int64_t groups = groups_of(span);
    const std::int64_t before = task_.begin_span * kSpanColumns;
    read_span<F, prologue>(source, task_.columns - before, (span - task_.begin_span) * kSpanGroups,
                           groups, values);
    const SpanStep step = choose_step(values.largest, groups);
    std::int32_t span_sum = 0;
    for (std::int64_t g = 0; g < groups; ++g) {
      const float* x = values.x + g * kGroupColumns;
      std::int8_t* lower = rows_of(out_.values, lower_rows_, span, g)[row];
      std::int32_t sum = 0;
      if ((step.wide >> g & 1) == 0) {
        sum = round_group<F>(x, step.factor, lower);
      } else {
        GroupRows& upper = rows_of(out_.upper, upper_rows_, span, g);
        if ((wide >> g & 1) == 0) std::memset(upper, 0, sizeof upper);
        wide = static_cast<std::uint8_t>(wide | 1u << g);
        sum = round_wide_group(x, step.factor, lower, upper[row]);
      }
      out_.sums[tile_.sum(out_, span * kSpanGroups + g) + row] = sum;
      span_sum += sum;
    }
    out_.scales[tile_.scale(out_, span) + row] = step.scale;
    out_.span_sums[tile_.scale(out_, span) + row] = span_sum;
  }

  void place_words(std::int64_t span, unsigned wide) {
    for (std::int64_t g = 0; g < groups_of(span); ++g) {
      place_group(lower_rows_[g], out_.values, span * kSpanGroups + g);
      if ((wide >> g & 1) == 0) continue;
      place_group(upper_rows_[g], out_.upper, span * kSpanGroups + g);
    }
  }

  void place_group(const GroupRows& from, std::byte* values, std::int64_t group) {
    constexpr bool whole = has_whole_tiles(layout);
    std::byte* to = values + tile_.values + group * (whole ? kRows : tile_.rows) * kGroupColumns;
    if (whole || tile_.rows == kRows) return place_rows(from, kRows, to);  // known to the compiler
    place_rows(from, tile_.rows, to);
  }

  // Of rows that a tile has room for and lacks: whatever comes.
  [[gnu::always_inline]] static void place_rows(const GroupRows& from, std::int64_t rows,
                                                std::byte* to) {
    for (std::int64_t at = 0; at < kGroupColumns; at += 4) {
#pragma GCC unroll 8
      for (std::int64_t r = 0; r < rows; ++r, to += 4) {
        std::uint32_t word;
        std::memcpy(&word, from[r] + at, 4);
        if constexpr (layout == RowLayout::unsigned_bytes) word ^= 0x80808080u;
        std::memcpy(to, &word, 4);
      }
    }
  }

  const QuantizeTask& task_;
  const QuantizedRows& out_;
  std::int64_t index_;
  TilePlace tile_;
  alignas(64) GroupRows lower_rows_[kSpanGroups];
  alignas(64) GroupRows upper_rows_[kSpanGroups];
};

template <class F, Prologue prologue, RowLayout layout, std::int64_t kRows>
void quantize_tiles(const QuantizeTask& task) {
  for (std::int64_t tile = task.begin_tile; tile < task.end_tile; ++tile) {
    TileRounding<F, prologue, layout, kRows>(task, tile).run();
  }
}

template <class F, RowLayout layout, std::int64_t kRows = kTileRows>
void quantize(const QuantizeTask& task) {
  switch (task.prologue) {
    case Prologue::none:
      return quantize_tiles<F, Prologue::none, layout, kRows>(task);
    case Prologue::gelu_tanh:
      return quantize_tiles<F, Prologue::gelu_tanh, layout, kRows>(task);
    case Prologue::gelu_erf:
      return quantize_tiles<F, Prologue::gelu_erf, layout, kRows>(task);
    case Prologue::swiglu:
      return quantize_tiles<F, Prologue::swiglu, layout, kRows>(task);
    case Prologue::layer_norm:
      return quantize_tiles<F, Prologue::layer_norm, layout, kRows>(task);
    case Prologue::rms_norm:
      return quantize_tiles<F, Prologue::rms_norm, layout, kRows>(task);
  }
}

}  // namespace
}  // namespace tru::tensor
