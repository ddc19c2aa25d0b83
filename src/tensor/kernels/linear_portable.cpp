// The product in plain C++: for processors without a level of their own, and what the other levels
// are tested against.
#include <algorithm>
#include <cstring>

#include "tensor/kernels/floats_portable.h"
#include "tensor/kernels/linear_layout.h"
#include "tensor/kernels/linear_quantize.h"

namespace tru::tensor {
namespace {

constexpr int kWordsPerGroup = kGroupColumns / 4;

// Adds one word of inputs times the weights of its four channels, in all lanes of a block.
template <PackedFormat format>
void add_word(const std::uint8_t* block, int half, std::uint32_t word,
              std::int32_t (&dots)[kPanelRows]) {
  for (int column = 0; column < 4; ++column) {
    const std::int32_t input = static_cast<std::int8_t>(word >> (8 * column) & 0xFF);
    for (std::int64_t lane = 0; lane < kPanelRows; ++lane) {
      std::int32_t weight = block[lane * 4 + column];
      if constexpr (format == PackedFormat::int4) weight = weight >> (4 * half) & 15;
      dots[lane] += (weight - Layout<format>::kOffset) * input;
    }
  }
}

// Adds a group's products. `from` has the group's first word of a row in a tile of `rows`.
template <PackedFormat format>
void add_group(const std::byte* weights, const std::byte* from, std::int64_t rows,
               std::int64_t group, std::int32_t (&dots)[kPanelRows]) {
  constexpr int kWordsPerBlock = kWordsPerGroup / Layout<format>::kBlocksPerGroup;
  const auto* blocks = reinterpret_cast<const std::uint8_t*>(weights);
  const auto* words = reinterpret_cast<const std::uint32_t*>(from);
  for (int w = 0; w < kWordsPerGroup; ++w) {
    const std::int64_t block = group * Layout<format>::kBlocksPerGroup + w / kWordsPerBlock;
    add_word<format>(blocks + block * kBlockBytes, w % kWordsPerBlock, words[w * rows], dots);
  }
}

// One row of inputs against one panel.
template <PackedFormat format>
void multiply_row(const LinearTask& task, std::int64_t row, std::int64_t panel) {
  const QuantizedRows& x = task.inputs;
  const TilePlace tile(x, row / x.tile_rows);
  const std::int64_t in_tile = row - tile.first;
  const std::byte* weights =
      task.weights + panel * static_cast<std::int64_t>(task.shape.panel_bytes());
  float sums[kPanelRows] = {};
  std::int32_t dots[kPanelRows] = {};
  for (std::int64_t group = 0; group < x.groups; ++group) {
    const std::int64_t span = group / kSpanGroups;
    const std::int64_t at = tile.values + group * tile.rows * kGroupColumns + in_tile * 4;
    add_group<format>(weights, x.values + at, tile.rows, group, dots);
    if ((x.wide_groups(row / x.tile_rows, span) >> group % kSpanGroups & 1) != 0) {
      std::int32_t upper[kPanelRows] = {};
      add_group<format>(weights, x.upper + at, tile.rows, group, upper);
      for (std::int64_t lane = 0; lane < kPanelRows; ++lane) dots[lane] += 256 * upper[lane];
    }
    float weight_scales[kPanelRows];
    std::fill_n(weight_scales, kPanelRows, 1.0f);
    if constexpr (format == PackedFormat::int4) {
      scales_to_f32(group_scales(task.shape, weights, group), weight_scales);
    } else if (group % kSpanGroups < kSpanGroups - 1 && group + 1 < x.groups) {
      continue;  // the span goes on
    }
    const float scale = x.scales[tile.scale(x, span) + in_tile];
    for (std::int64_t lane = 0; lane < kPanelRows; ++lane) {
      sums[lane] += static_cast<float>(dots[lane]) * (scale * weight_scales[lane]);
      dots[lane] = 0;
    }
  }
  const std::int64_t first = panel * kPanelRows;
  for (std::int64_t lane = 0; lane < std::min(kPanelRows, task.shape.rows - first); ++lane) {
    const std::int64_t at = task.output.index(row, first + lane);
    float y = sums[lane];
    if constexpr (format == PackedFormat::int8) y *= channel_scales(task.shape, weights)[lane];
    if (task.bias != nullptr) y += task.bias[first + lane];
    if (task.addend != nullptr) y += task.addend[at];
    task.output.values[at] = y;
  }
}

void multiply(const LinearTask& task) {
  const std::int64_t end_row = std::min(task.end_tile * kTileRows, task.inputs.count);
  for (std::int64_t panel = task.begin_panel; panel < task.end_panel; ++panel) {
    for (std::int64_t row = task.begin_tile * kTileRows; row < end_row; ++row) {
      task.shape.format == PackedFormat::int8 ? multiply_row<PackedFormat::int8>(task, row, panel)
                                              : multiply_row<PackedFormat::int4>(task, row, panel);
    }
  }
}

}  // namespace

const LinearKernels kPortableLinear = {RowLayout::bytes, kTileRows, kTilesPerShare,
                                       quantize<FloatsPortable, RowLayout::bytes>, multiply};

}  // namespace tru::tensor
