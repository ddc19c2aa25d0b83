// Activations to 8 bits, written once over the levels' floats (floats_*.h). A level's file includes
// this behind its own `#pragma GCC target`. F::store_rounded(Value*, x) says how values are stored.
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

// One row of the inputs, and what its prologue needs.
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
  RowSource source{task.x + row * task.columns};
  if constexpr (prologue == Prologue::swiglu) source.second = task.second + row * task.columns;
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

// 64 channels of one row.
template <class F, Prologue prologue, typename Value>
[[gnu::always_inline]] inline void quantize_group(const RowSource& source, Value* values,
                                                  float& scale, std::int32_t& sum) {
  constexpr std::int64_t kVectors = kGroupColumns / F::kLanes;
  typename F::Float x[kVectors];
  typename F::Float largest = F::set1(0);
#pragma GCC unroll 16
  for (std::int64_t v = 0; v < kVectors; ++v) {
    x[v] = apply<F, prologue>(source, v * F::kLanes);
    largest = F::max(F::abs(x[v]), largest);
  }
  const float top = F::largest(largest);
  const auto factor = F::set1(top > 0 ? 127.0f / top : 0);
  typename F::Float sums = F::set1(0);
#pragma GCC unroll 16
  for (std::int64_t v = 0; v < kVectors; ++v) {
    const auto rounded = F::round(x[v] * factor);
    sums = sums + rounded;
    F::store_rounded(values + v * F::kLanes, rounded);
  }
  scale = top / 127.0f;
  sum = static_cast<std::int32_t>(F::sum(sums));  // whole numbers below 2^14: exact
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

template <class F, Prologue prologue, typename Value, std::int64_t kRows>
void quantize_tile(const QuantizeTask& task, std::int64_t tile) {
  constexpr std::int64_t kWords = kGroupColumns * sizeof(Value) / 4;
  const std::int64_t first_row = tile * kRows;
  const std::int64_t rows = std::min(kRows, task.out.count - first_row);
  RowSource sources[kRows];
  for (std::int64_t r = 0; r < rows; ++r) {
    sources[r] = row_source<F, prologue>(task, first_row + r);
  }
  auto* to =
      reinterpret_cast<std::uint32_t*>(task.out.values) + first_row * task.out.groups * kWords;
  std::int64_t at = first_row * task.out.groups;
  for (std::int64_t group = 0; group < task.out.groups; ++group) {
    const std::int64_t first = group * kGroupColumns;
    alignas(64) Value values[kRows][kGroupColumns];
    for (std::int64_t r = 0; r < rows; ++r, ++at) {
      RowSource part = sources[r];
      if (first + kGroupColumns > task.columns) {
        const PaddedGroup padded(part, first, task.columns - first);
        part.x = padded.x;
        part.second = padded.second;
        part.bias = padded.bias;
        quantize_group<F, prologue>(part, values[r], task.out.scales[at], task.out.sums[at]);
        continue;
      }
      part.x += first;
      part.second += first;
      part.bias += first;
      quantize_group<F, prologue>(part, values[r], task.out.scales[at], task.out.sums[at]);
    }
    for (std::int64_t w = 0; w < kWords; ++w) {
      for (std::int64_t r = 0; r < rows; ++r) {
        std::memcpy(to++, reinterpret_cast<const std::byte*>(values[r]) + w * 4, 4);
      }
    }
  }
}

template <class F, Prologue prologue, typename Value, std::int64_t kRows>
void quantize_tiles(const QuantizeTask& task) {
  for (std::int64_t tile = task.begin_tile; tile < task.end_tile; ++tile) {
    quantize_tile<F, prologue, Value, kRows>(task, tile);
  }
}

template <class F, typename Value, std::int64_t kRows = kTileRows>
void quantize(const QuantizeTask& task) {
  switch (task.prologue) {
    case Prologue::none:
      return quantize_tiles<F, Prologue::none, Value, kRows>(task);
    case Prologue::gelu_tanh:
      return quantize_tiles<F, Prologue::gelu_tanh, Value, kRows>(task);
    case Prologue::gelu_erf:
      return quantize_tiles<F, Prologue::gelu_erf, Value, kRows>(task);
    case Prologue::swiglu:
      return quantize_tiles<F, Prologue::swiglu, Value, kRows>(task);
    case Prologue::layer_norm:
      return quantize_tiles<F, Prologue::layer_norm, Value, kRows>(task);
    case Prologue::rms_norm:
      return quantize_tiles<F, Prologue::rms_norm, Value, kRows>(task);
  }
}

}  // namespace
}  // namespace tru::tensor
