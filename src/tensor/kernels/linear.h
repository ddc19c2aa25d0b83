// y = W x + b with W in 8- or 4-bit integers and x rounded to 8 bits, on the CPU.
//
// Weights are packed once, 16 output channels to a panel, in the order in which the kernels read
// them. Activations are rounded to whole multiples of a step, one for each row and span of 256
// input channels. Most multiples fit into 8 bits. Where a group of 64 channels has values far above
// those of its span's other groups, as language models have them, it does not decide the step: its
// multiples take 16 bits, of which the upper 8 are multiplied only there. So channels of huge
// values cost a little time and no precision. Sums within a span are exact integers (int4: within a
// group); spans are added up in f32. All levels compute the same integers and, portable apart, add
// them in the same way: their results are equal to the last bit.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/kernels/cpu_level.h"

namespace tru::tensor {

inline constexpr std::int64_t kGroupColumns = 64;
inline constexpr std::int64_t kSpanGroups = 4;
inline constexpr std::int64_t kSpanColumns = kSpanGroups * kGroupColumns;
inline constexpr std::int64_t kPanelRows = 16;

// Of packed matrices: another number when the same weights would be packed into other bytes.
inline constexpr int kPackedLayoutVersion = 2;

// int8: one scale per output channel; 8 bits per weight.
// int4: from -8 to 7, one f16 scale per output channel and group, which may be negative; 4.25 bits
// per weight.
enum class PackedFormat { int8, int4 };

// A weight matrix: `rows` output channels, `columns` input channels.
struct PackedShape {
  PackedFormat format = PackedFormat::int8;
  std::int64_t rows = 0;
  std::int64_t columns = 0;

  std::int64_t panels() const { return (rows + kPanelRows - 1) / kPanelRows; }
  std::int64_t groups() const { return (columns + kGroupColumns - 1) / kGroupColumns; }
  // Multiples of 64: a panel starts on a cache line if the matrix does.
  std::size_t panel_bytes() const;
  std::size_t bytes() const { return panel_bytes() * static_cast<std::size_t>(panels()); }
};

// Quantises and packs one panel. values: f32 [count, columns], count <= 16 channels.
void pack_panel(const PackedShape& shape, const float* values, std::int64_t count,
                std::byte* panel);

// The weights of a packed panel as the products see them: f32 [16, columns].
void unpack_panel(const PackedShape& shape, const std::byte* panel, float* values);

// How a tile of activations lies in memory; linear_layout.h says more.
enum class RowLayout {
  bytes,           // lower and upper bytes apart, word by word
  unsigned_bytes,  // the same, 128 added to each; the last tile has room for all its rows
  lines,           // lower and upper bytes apart, row by row; room as above
};

// Activations as the products take them: views into one block of memory. Rows lie in tiles of as
// many as a kernel takes at once, the last tile has the rest.
struct QuantizedRows {
  std::byte* values;  // the lower bytes as int8
  std::byte* upper;   // the upper bytes, where `wide` says that there are any
  float* scales;      // one for each row and span: the step
  // Of the multiples.
  std::int32_t* span_sums;  // of each row and span
  std::int32_t* sums;       // of each row and group
  std::uint8_t* wide;       // of each tile and span: bit g is set if 8 bits are too few for group g
  std::int64_t count;
  std::int64_t groups;
  std::int64_t tile_rows;
  RowLayout layout;

  std::int64_t tiles() const { return (count + tile_rows - 1) / tile_rows; }
  std::int64_t spans() const { return (groups + kSpanGroups - 1) / kSpanGroups; }
  std::uint8_t& wide_groups(std::int64_t tile, std::int64_t span) const {
    return wide[tile * spans() + span];
  }
};

// What is done to activations just before they are quantised, while they are in registers.
enum class Prologue {
  none,        // x
  gelu_tanh,   // GELU(x), tanh form
  gelu_erf,    // GELU(x), by the error function
  swiglu,      // x sigmoid(x) second
  layer_norm,  // (x - mean) / sqrt(variance + epsilon) * second + bias
  rms_norm,    // x / sqrt(mean of squares + epsilon) * second
};

// Rows of f32 in memory: those of a tensor, or a part of their channels.
template <typename Float>
struct FloatRows {
  Float* values = nullptr;  // of first_row and first_channel
  std::int64_t step = 0;    // floats from a row to the next
  std::int64_t first_row = 0;
  std::int64_t first_channel = 0;

  std::int64_t index(std::int64_t row, std::int64_t channel) const {
    return (row - first_row) * step + channel - first_channel;
  }
};

// The rows and spans that one call quantises.
struct QuantizeTask {
  FloatRows<const float> x = {};         // [out.count, columns], or as many rows as
  const std::int32_t* x_rows = nullptr;  // [out.count] names: which of x becomes each of out
  std::int64_t columns = 0;
  Prologue prologue = Prologue::none;
  const float* second = nullptr;  // swiglu: laid out as x; norms: [columns]
  const float* bias = nullptr;    // layer_norm: [columns]
  float epsilon = 0;
  QuantizedRows out = {};
  std::int64_t begin_tile = 0, end_tile = 0;
  std::int64_t begin_span = 0, end_span = 0;  // norms: all
};

// The part of a product that one call computes.
struct LinearTask {
  PackedShape shape;
  const std::byte* weights = nullptr;  // packed, 64-byte aligned
  QuantizedRows inputs = {};
  const float* bias = nullptr;    // [shape.rows], or null
  const float* addend = nullptr;  // laid out as output, added to it; may be the same; or null
  FloatRows<float> output = {};   // [inputs.count, shape.rows]
  bool read_soon = false;         // outputs are to stay in the caches
  std::int64_t begin_tile = 0, end_tile = 0;    // of the inputs
  std::int64_t begin_panel = 0, end_panel = 0;  // of the weights
};

struct LinearKernels {
  RowLayout layout;              // of quantised activations
  std::int64_t tile_rows;        // rows that one tile has
  std::int64_t tiles_per_share;  // what graphs give a thread at once, and benchmarks measure
  void (*quantize)(const QuantizeTask& task);
  void (*multiply)(const LinearTask& task);

  // Size and layout of a block for `count` rows of `columns` input channels.
  std::size_t quantized_bytes(std::int64_t count, std::int64_t columns) const;
  QuantizedRows view(std::byte* block, std::int64_t count, std::int64_t columns) const;
};

// The activations of one row as the products see them: f32 [columns].
void dequantize(const QuantizedRows& x, std::int64_t row, std::int64_t columns, float* out);

// Whether the last tile has room for all rows that a tile may have.
inline constexpr bool has_whole_tiles(RowLayout layout) {
  return layout == RowLayout::unsigned_bytes || layout == RowLayout::lines;
}

// The kernels for `count` rows of a level that this processor supports.
const LinearKernels& linear_kernels(CpuLevel level, std::int64_t count);

}  // namespace tru::tensor
