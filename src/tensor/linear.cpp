#include "tensor/linear.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "base/assert.h"
#include "tensor/pieces.h"

namespace tru::tensor {
namespace {

// A product's work is cut into pieces of some panels and some tiles.
struct Product {
  PackedShape shape;
  std::int64_t count;  // rows of x
  const ggml_tensor* bias;
  const ggml_tensor* addend;
  std::atomic<std::int64_t> next_piece = 0;
};

// sources: weights, quantised x and what there is of bias and addend.
void run_product(ggml_tensor* dst, int, int threads, void* state) {
  auto& product = *static_cast<Product*>(state);
  const std::int64_t panels = product.shape.panels();
  LinearTask task{};
  task.shape = product.shape;
  const LinearKernels& kernels = chosen_linear_kernels(product.count);
  task.weights = static_cast<const std::byte*>(dst->src[0]->data);
  task.inputs = kernels.view(static_cast<std::byte*>(dst->src[1]->data), product.count,
                             product.shape.columns);
  const std::int64_t tiles = task.inputs.tiles();
  const std::int64_t piece_panels = panels_per_piece(panels, threads);
  const std::int64_t pieces_down = parts_of(tiles, kernels.tiles_per_share);
  const std::int64_t pieces = parts_of(panels, piece_panels) * pieces_down;
  task.bias = floats_of(product.bias);
  task.addend = floats_of(product.addend);
  task.output = {static_cast<float*>(dst->data), product.shape.rows};
  for (auto piece = product.next_piece++; piece < pieces; piece = product.next_piece++) {
    task.begin_panel = piece / pieces_down * piece_panels;
    task.end_panel = std::min(panels, task.begin_panel + piece_panels);
    task.begin_tile = piece % pieces_down * kernels.tiles_per_share;
    task.end_tile = std::min(tiles, task.begin_tile + kernels.tiles_per_share);
    kernels.multiply(task);
  }
}

}  // namespace

double MatrixType::bytes_per_weight() const {
  if (packed == PackedFormat::int8) return 1;
  if (packed == PackedFormat::int4) return 0.5 + 2.0 / kGroupColumns;
  return static_cast<double>(ggml_type_size(plain)) / static_cast<double>(ggml_blck_size(plain));
}

Matrix new_matrix(ggml_context* context, const MatrixType& type, std::int64_t rows,
                  std::int64_t columns) {
  Matrix matrix{nullptr, rows, columns, type.packed};
  matrix.tensor = type.packed
                      ? ggml_new_tensor_1d(context, GGML_TYPE_I8,
                                           static_cast<std::int64_t>(matrix.packed_shape().bytes()))
                      : ggml_new_tensor_2d(context, type.plain, columns, rows);
  return matrix;
}

ggml_tensor* linear(Graph& graph, const Matrix& weights, ggml_tensor* bias, const Rows& x,
                    ggml_tensor* addend) {
  ggml_context* context = graph.context();
  if (!weights.packed) {
    ggml_tensor* y = ggml_mul_mat(context, weights.tensor, x.tensor());
    if (bias != nullptr) y = ggml_add_inplace(context, y, bias);
    return addend == nullptr ? y : ggml_add(context, addend, y);
  }
  TRU_ASSERT(x.columns() == weights.columns);
  TRU_ASSERT(addend == nullptr || ggml_is_contiguous(addend));
  auto& product = graph.keep<Product>(weights.packed_shape(), x.count(), bias, addend);
  graph.add_flop(2.0 * static_cast<double>(weights.rows * weights.columns * x.count()));
  std::vector<ggml_tensor*> sources = {weights.tensor, x.quantized()};
  for (ggml_tensor* source : {bias, addend}) {
    if (source != nullptr) sources.push_back(source);
  }
  const Rows::Shape& ne = x.shape();
  return ggml_custom_4d(context, GGML_TYPE_F32, weights.rows, ne[1], ne[2], ne[3], sources.data(),
                        static_cast<int>(sources.size()), run_product, GGML_N_TASKS_MAX, &product);
}

}  // namespace tru::tensor
