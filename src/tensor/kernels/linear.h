// y = W x + b with W in 8- or 4-bit integers and x rounded to 8 bits, on the CPU.
//
// Weights are packed once, 16 output channels to a panel, in the order in which the kernels read
// them. Activations are quantised for each row and group of 64 input channels, so that a channel
// of huge values costs precision only in its own group. Sums within a group are exact integers;
// groups are added up in f32. All levels compute the same integers and, portable apart, add them in
// the same way: their results are equal to the last bit.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/kernels/cpu_level.h"

namespace tru::tensor {

inline constexpr std::int64_t kGroupColumns = 64;
inline constexpr std::int64_t kPanelRows = 16;

// Of packed matrices: another number when the same weights would be packed into other bytes.
inline constexpr int kPackedLayoutVersion = 1;

// int8: one scale per output channel; 8 bits per weight.
// int4: one f16 scale per output channel and group; 4.25 bits per weight.
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

// Activations as the products take them: views into one block of memory. Rows lie in tiles of as
// many as a kernel takes at once, the last tile has the rest; linear_layout.h says how.
struct QuantizedRows {
  std::byte* values;   // int8, or int16
  float* scales;       // one for each row and group
  std::int32_t* sums;  // of the values of each row and group
  std::int64_t count;
  std::int64_t groups;
  std::int64_t tile_rows;

  std::int64_t tiles() const { return (count + tile_rows - 1) / tile_rows; }
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

// The rows that one call quantises.
struct QuantizeTask {
  const float* x;  // [out.count, columns]
  std::int64_t columns;
  Prologue prologue;
  const float* second;  // swiglu: [out.count, columns]; norms: [columns]; else null
  const float* bias;    // layer_norm: [columns]; else null
  float epsilon;
  QuantizedRows out;
  std::int64_t begin_tile, end_tile;
};

// The part of a product that one call computes.
struct LinearTask {
  PackedShape shape;
  const std::byte* weights;  // packed, 64-byte aligned
  QuantizedRows inputs;
  const float* bias;                    // [shape.rows], or null
  const float* addend;                  // like output, added to it; may be the same; or null
  float* output;                        // [inputs.count, shape.rows]
  std::int64_t begin_tile, end_tile;    // of the inputs
  std::int64_t begin_panel, end_panel;  // of the weights
};

struct LinearKernels {
  std::size_t value_bytes;       // of a quantised activation: 1 or 2
  std::int64_t tile_rows;        // rows that one tile has
  std::int64_t tiles_per_share;  // what graphs give a thread at once, and benchmarks measure
  void (*quantize)(const QuantizeTask& task);
  void (*multiply)(const LinearTask& task);

  // Size and layout of a block for `count` rows of `columns` input channels.
  std::size_t quantized_bytes(std::int64_t count, std::int64_t columns) const;
  QuantizedRows view(std::byte* block, std::int64_t count, std::int64_t columns) const;
  // The activations of one row as the products see them: f32 [columns].
  void dequantize(const QuantizedRows& rows, std::int64_t row, std::int64_t columns,
                  float* out) const;
};

// The kernels of a level that this processor supports.
const LinearKernels& linear_kernels(CpuLevel level);

}  // namespace tru::tensor
