// Linear layers: y = W x + b, by ggml or, where W is packed for them, by kernels of our own.
#pragma once

#include <cstdint>
#include <optional>

#include "tensor/graph.h"
#include "tensor/kernels/linear.h"
#include "tensor/rows.h"

namespace tru::tensor {

// How a matrix's numbers are stored: in a type of ggml's, or packed for our kernels (on CPUs).
struct MatrixType {
  ggml_type plain = GGML_TYPE_F32;
  std::optional<PackedFormat> packed;

  // Scales included; of a packed matrix, scales of a single channel aside.
  double bytes_per_weight() const;
};

// A weight matrix of `rows` output and `columns` input channels.
struct Matrix {
  ggml_tensor* tensor = nullptr;  // plain: ne = {columns, rows}; packed: bytes
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::optional<PackedFormat> packed;

  PackedShape packed_shape() const { return {*packed, rows, columns}; }
  // To fewer than 16 bits.
  bool is_quantized() const { return packed || ggml_is_quantized(tensor->type); }
};

// The header of a matrix in `context`, without data.
Matrix new_matrix(ggml_context* context, const MatrixType& type, std::int64_t rows,
                  std::int64_t columns);

// x: ne = {columns, ...}; bias: f32 [rows] or null; addend: f32, contiguous, like the result, added
// to it, or null. Result ne = {rows, ...}.
ggml_tensor* linear(Graph& graph, const Matrix& weights, ggml_tensor* bias, const Rows& x,
                    ggml_tensor* addend = nullptr);

}  // namespace tru::tensor
