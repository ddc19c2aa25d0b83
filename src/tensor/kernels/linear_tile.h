// The product's inner loops, written once over the vector types of the levels. A level's file
// includes this behind its own `#pragma GCC target` and gives a type V with:
//   Int, Float          vectors of 32-bit lanes, one output channel to a lane
//   kVectors            vectors in a panel
//   kSignedWeights      whether part() takes the offset of weights away
//   dot(sum, w, x)      adds, to each lane, the products of its four weights w and inputs x
//   part<format>(p, i)  weights of the i-th step in the 64 packed bytes of a panel at p
//   broadcast(p)        the four bytes at p in every lane
//   add_shifted(a, b)   a + 256 b
// and set1, convert, fma, mul, add, load, load_f16, store.
//
// Weights are unsigned, offset by 128 (int8) or 8 (int4), because most instructions want one factor
// so. Sums start from -offset times the sum of their inputs, which takes that back out.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "tensor/kernels/linear.h"
#include "tensor/kernels/linear_layout.h"
#include "tensor/kernels/pinned.h"

namespace tru::tensor {
namespace {

// The end of a matrix whose channels do not fill a panel.
[[gnu::noinline]] inline void finish_part(const LinearTask& task, const float* lanes,
                                          std::int64_t count, std::int64_t channel,
                                          std::int64_t at) {
  for (std::int64_t i = 0; i < count; ++i) {
    float y = lanes[i];
    if (task.bias != nullptr) y += task.bias[channel + i];
    if (task.addend != nullptr) y += task.addend[at + i];
    task.output.values[at + i] = y;
  }
}

// One vector of outputs, with bias and addend, into memory.
template <class V>
[[gnu::always_inline]] inline void store_outputs(const LinearTask& task, typename V::Float y,
                                                 std::int64_t row, std::int64_t channel) {
  constexpr std::int64_t kLanes = kPanelRows / V::kVectors;
  const std::int64_t at = task.output.index(row, channel);
  const std::int64_t left = std::min(kLanes, task.shape.rows - channel);
  if (left == kLanes) {
    if (task.bias != nullptr) y = V::add(y, V::load(task.bias + channel));
    if (task.addend != nullptr) y = V::add(y, V::load(task.addend + at));
    V::store(task.output.values + at, y);
    return;
  }
  float lanes[kLanes];
  V::store(lanes, y);
  finish_part(task, lanes, left, channel, at);
}

// How far ahead weights are fetched that pass by once, into the second cache: the first has too few
// requests open at once. Processors fetch ahead by themselves, but not beyond a page, and each
// weight takes so little work that this leaves them waiting at each.
constexpr std::int64_t kWeightsAhead = 4096;

template <class V, PackedFormat format, int kRows, int kPanels>
struct Tile {
  static constexpr int kVectors = kPanels * V::kVectors;
  static constexpr std::int64_t kLanes = kPanelRows / V::kVectors;
  static constexpr int kStepsPerGroup = kGroupColumns / 4;
  static constexpr int kStepsPerBlock = kStepsPerGroup / Layout<format>::kBlocksPerGroup;
  using Int = typename V::Int;
  using Float = typename V::Float;

  const LinearTask& task;
  std::int64_t tile;   // of the inputs, with kRows rows
  std::int64_t panel;  // of the weights, the first of kPanels
  TilePlace place{task.inputs, tile};
  Float sums[kRows][kVectors] = {};

  // What is added up before it is scaled: a span, or for int4 a group.
  static constexpr std::int64_t kGroupsPerScale = format == PackedFormat::int8 ? kSpanGroups : 1;

  // Fetches what comes kWeightsAhead behind `offset` in each panel. Panels lie one behind the
  // other: behind one's end come, for kPanels at once, the next kPanels.
  [[gnu::always_inline]] static void fetch_ahead(const std::byte* const (&weights)[kPanels],
                                                 std::int64_t offset) {
    std::int64_t ahead = offset + kWeightsAhead;
    if constexpr (kPanels > 1) {
      const std::int64_t panel_bytes = weights[1] - weights[0];
      if (ahead >= panel_bytes) ahead += (kPanels - 1) * panel_bytes;
    }
    for (const std::byte* panel : weights) __builtin_prefetch(panel + ahead, 0, 2);
  }

  // Adds the products of some groups' weights and of inputs that start at `inputs`.
  [[gnu::always_inline]] static void add_products(const std::byte* const (&weights)[kPanels],
                                                  const std::byte* inputs, std::int64_t group,
                                                  std::int64_t groups,
                                                  Int (&dots)[kRows][kVectors]) {
    const std::int64_t block = group * Layout<format>::kBlocksPerGroup;
    const std::int64_t blocks = groups * Layout<format>::kBlocksPerGroup;
#pragma GCC unroll 1
    for (std::int64_t b = 0; b < blocks; ++b) {
      if constexpr (kRows < kTileRows) fetch_ahead(weights, (block + b) * kBlockBytes);
#pragma GCC unroll 4
      for (int s = 0; s < kStepsPerBlock; ++s) {
        Int w[kVectors];
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) {
          const std::byte* from = weights[v / V::kVectors] + (block + b) * kBlockBytes +
                                  v % V::kVectors * static_cast<int>(sizeof(Int));
          w[v] = V::template part<format>(from, s);
        }
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r) {
          const Int input = V::broadcast(inputs + ((b * kStepsPerBlock + s) * kRows + r) * 4);
#pragma GCC unroll 8
          for (int v = 0; v < kVectors; ++v) dots[r][v] = V::dot(dots[r][v], w[v], input);
        }
      }
    }
  }

  // The sums of some groups of one span, before they are scaled.
  [[gnu::always_inline]] static void multiply_groups(const LinearTask& task, const TilePlace& place,
                                                     const std::byte* const (&weights)[kPanels],
                                                     std::int64_t group, std::int64_t groups,
                                                     Int (&dots)[kRows][kVectors]) {
    const QuantizedRows& x = task.inputs;
    const std::int32_t* input_sums = format == PackedFormat::int8
                                         ? x.span_sums + place.scale(x, group / kSpanGroups)
                                         : x.sums + place.sum(x, group);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const Int start = V::set1(V::kSignedWeights ? 0 : -Layout<format>::kOffset * input_sums[r]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) dots[r][v] = start;
    }
    const std::int64_t group_bytes = kStepsPerGroup * kRows * 4;
    add_products(weights, x.values + place.values + group * group_bytes, group, groups, dots);
  }

  // The same where some groups have upper bytes. A function for itself, which knows nothing of the
  // tile: so that what goes on in registers elsewhere may stay there.
  [[gnu::noinline]] static void multiply_wide(const LinearTask& task, TilePlace place,
                                              const std::byte* const (&weights)[kPanels],
                                              std::int64_t group, std::int64_t groups,
                                              unsigned wide, Int (&dots)[kRows][kVectors]) {
    multiply_groups(task, place, weights, group, groups, dots);
    for (std::int64_t g = group; g < group + groups; ++g) {
      if ((wide >> g % kSpanGroups & 1) == 0) continue;
      Int upper[kRows][kVectors] = {};
      const std::byte* inputs = task.inputs.upper + place.values + g * kGroupColumns * kRows;
      add_products(weights, inputs, g, 1, upper);
      for (int r = 0; r < kRows; ++r) {
        for (int v = 0; v < kVectors; ++v) dots[r][v] = V::add_shifted(dots[r][v], upper[r][v]);
      }
    }
  }

  // Adds the products of some groups of one span: exact sums, then scaled.
  [[gnu::always_inline]] void add_groups(const std::byte* const (&weights)[kPanels],
                                         std::int64_t group, std::int64_t groups) {
    Int dots[kRows][kVectors];
    const unsigned wide = task.inputs.wide_groups(tile, group / kSpanGroups);
    if (wide != 0) [[unlikely]] {
      Int wide_dots[kRows][kVectors];
      multiply_wide(task, place, weights, group, groups, wide, wide_dots);
      return scale_dots(weights, group, wide_dots);
    }
    multiply_groups(task, place, weights, group, groups, dots);
    scale_dots(weights, group, dots);
  }

  [[gnu::always_inline]] void scale_dots(const std::byte* const (&weights)[kPanels],
                                         std::int64_t group, const Int (&dots)[kRows][kVectors]) {
    const QuantizedRows& x = task.inputs;
    const float* scales = x.scales + place.scale(x, group / kSpanGroups);
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        Float scale = V::set1(scales[r]);
        if constexpr (format == PackedFormat::int4) {
          const std::byte* of_weights = group_scales(task.shape, weights[v / V::kVectors], group);
          scale = V::mul(scale, V::load_f16(of_weights + v % V::kVectors * kLanes * 2));
        }
        sums[r][v] = V::fma(V::convert(dots[r][v]), scale, sums[r][v]);
      }
    }
  }

  // Scale, bias and addend of one vector of outputs, then into memory.
  [[gnu::always_inline]] void finish(const std::byte* weights, int r, int v) {
    Float y = sums[r][v];
    if constexpr (format == PackedFormat::int8) {
      y = V::mul(y, V::load(channel_scales(task.shape, weights) + v % V::kVectors * kLanes));
    }
    store_outputs<V>(task, y, place.first + r, panel * kPanelRows + v * kLanes);
  }

  [[gnu::always_inline]] void run() {
    const std::byte* weights[kPanels];
    const auto panel_bytes = static_cast<std::int64_t>(task.shape.panel_bytes());
    for (int p = 0; p < kPanels; ++p) weights[p] = task.weights + (panel + p) * panel_bytes;
    const std::int64_t groups = task.inputs.groups;
    std::int64_t group = 0;
    for (; group + kGroupsPerScale <= groups; group += kGroupsPerScale) {
      add_groups(weights, group, kGroupsPerScale);
    }
    if (group < groups) add_groups(weights, group, groups - group);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) finish(weights[v / V::kVectors], r, v);
    }
  }
};

template <class V, PackedFormat format, int kRows, int kPanels>
void run_tile(const LinearTask& task, std::int64_t tile, std::int64_t panel) {
  Tile<V, format, kRows, kPanels>{task, tile, panel}.run();
}

// All tiles against kPanels panels, which stay in the cache.
template <class V, PackedFormat format, int kPanels>
void multiply_panels(const LinearTask& task, std::int64_t panel) {
  for (std::int64_t tile = task.begin_tile; tile < task.end_tile; ++tile) {
    switch (std::min(kTileRows, task.inputs.count - tile * kTileRows)) {
      case 6:
        run_tile<V, format, 6, kPanels>(task, tile, panel);
        break;
      case 5:
        run_tile<V, format, 5, kPanels>(task, tile, panel);
        break;
      case 4:
        run_tile<V, format, 4, kPanels>(task, tile, panel);
        break;
      case 3:
        run_tile<V, format, 3, kPanels>(task, tile, panel);
        break;
      case 2:
        run_tile<V, format, 2, kPanels>(task, tile, panel);
        break;
      default:
        run_tile<V, format, 1, kPanels>(task, tile, panel);
    }
  }
}

// One row: its weights pass by once. Panels taken together are runs of memory that processors fetch
// ahead better than a single one.
template <class V, PackedFormat format>
void multiply_row(const LinearTask& task) {
  constexpr int kPanels = 4;
  std::int64_t panel = task.begin_panel;
  for (; panel + kPanels <= task.end_panel; panel += kPanels) {
    run_tile<V, format, 1, kPanels>(task, 0, panel);
  }
  for (; panel < task.end_panel; ++panel) run_tile<V, format, 1, 1>(task, 0, panel);
}

template <class V, PackedFormat format>
void multiply_format(const LinearTask& task) {
  if (task.inputs.count == 1) return multiply_row<V, format>(task);
  std::int64_t panel = task.begin_panel;
  for (; panel + V::kTilePanels <= task.end_panel; panel += V::kTilePanels) {
    multiply_panels<V, format, V::kTilePanels>(task, panel);
  }
  for (; panel < task.end_panel; ++panel) multiply_panels<V, format, 1>(task, panel);
}

template <class V>
void multiply(const LinearTask& task) {
  task.shape.format == PackedFormat::int8 ? multiply_format<V, PackedFormat::int8>(task)
                                          : multiply_format<V, PackedFormat::int4>(task);
}

}  // namespace
}  // namespace tru::tensor
