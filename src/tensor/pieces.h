// How operators of ours cut their work into pieces, of which each thread takes the next when it is
// through with one: cores are not equally fast, and other programs take some of their time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "tensor/kernels/linear.h"

namespace tru::tensor {

inline std::int64_t parts_of(std::int64_t count, std::int64_t size) {
  return (count + size - 1) / size;
}

// Panels of a product's weights: few enough to share, enough that weights are read in long runs;
// where there are enough, as many as a row takes at once.
inline std::int64_t panels_per_piece(std::int64_t panels, int threads) {
  const auto share = std::clamp<std::int64_t>(panels / (4 * threads), 2, 16);
  return share < 4 ? 2 : share / 4 * 4;
}

// Layers whose outputs are wanted only as `rounding` activates and quantises them: one, or gate and
// up. A piece is a span of their channels of some tiles of rows, which as floats stays in caches.
struct InnerPieces {
  static constexpr std::int64_t kPanels = kSpanColumns / kPanelRows;

  const LinearKernels& kernels;
  LinearTask product;                        // of each layer: shape, inputs, bias
  QuantizeTask rounding;                     // columns, prologue, out
  std::span<const std::byte* const> layers;  // their weights

  static std::int64_t spans(const PackedShape& shape) { return parts_of(shape.rows, kSpanColumns); }
  // Floats of room for `tiles` of some layers.
  static std::int64_t floats(const LinearKernels& kernels, std::int64_t tiles,
                             std::int64_t layers) {
    return layers * tiles * kernels.tile_rows * kSpanColumns;
  }

  // floats: room for these tiles, aligned to 64 bytes.
  void run(std::int64_t span, std::int64_t begin_tile, std::int64_t end_tile, float* floats) {
    const std::int64_t per_layer = InnerPieces::floats(kernels, end_tile - begin_tile, 1);
    product.begin_tile = rounding.begin_tile = begin_tile;
    product.end_tile = rounding.end_tile = end_tile;
    product.begin_panel = span * kPanels;
    product.end_panel = std::min(product.shape.panels(), product.begin_panel + kPanels);
    product.output = {floats, kSpanColumns, begin_tile * kernels.tile_rows, span * kSpanColumns};
    product.read_soon = true;
    for (const std::byte* weights : layers) {
      product.weights = weights;
      kernels.multiply(product);
      product.output.values += per_layer;
    }
    rounding.x = {floats, kSpanColumns, begin_tile * kernels.tile_rows, span * kSpanColumns};
    rounding.second = layers.size() == 2 ? floats + per_layer : nullptr;
    rounding.begin_span = span;
    rounding.end_span = span + 1;
    kernels.quantize(rounding);
  }
};

}  // namespace tru::tensor
