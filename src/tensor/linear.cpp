#include "tensor/linear.h"

#include <algorithm>
#include <atomic>

#include "base/assert.h"

namespace tru::tensor {
namespace {

const LinearKernels& kernels() {
  static const LinearKernels& chosen = linear_kernels(cpu_level());
  return chosen;
}

std::byte* bytes_of(const ggml_tensor* tensor) {
  return static_cast<std::byte*>(tensor->data);
}

// dst: the block that the kernels' view() describes. Threads take whole tiles, whose rows share
// cache lines.
void run_quantize(ggml_tensor* dst, int thread, int threads, void*) {
  const ggml_tensor* x = dst->src[0];
  const std::int64_t columns = x->ne[0];
  const std::int64_t count = ggml_nrows(x);
  const QuantizedRows rows = kernels().view(bytes_of(dst), count, columns);
  const std::int64_t tiles = (count + kTileRows - 1) / kTileRows;
  const std::int64_t begin = tiles * thread / threads * kTileRows;
  const std::int64_t end = std::min(count, tiles * (thread + 1) / threads * kTileRows);
  for (std::int64_t row = begin; row < end; ++row) {
    kernels().quantize(static_cast<const float*>(x->data) + row * columns, columns, rows, row);
  }
}

// A product's work in pieces of some panels and some tiles. Threads take the next piece when they
// are through with one: cores are not equally fast, and other programs take some of their time.
struct Product {
  PackedShape shape;
  std::int64_t count;  // rows of x
  std::atomic<std::int64_t> next_piece = 0;
};

// Pieces small enough to share, large enough that weights are read in long runs.
std::int64_t panels_per_piece(std::int64_t panels, int threads) {
  return std::clamp<std::int64_t>(panels / (4 * threads), 2, 16) / 2 * 2;
}

// sources: weights, quantised x and, if there is one, the bias.
void run_product(ggml_tensor* dst, int, int threads, void* state) {
  constexpr std::int64_t kTilesPerPiece = 32;
  auto& product = *static_cast<Product*>(state);
  const std::int64_t panels = product.shape.panels();
  const std::int64_t tiles = (product.count + kTileRows - 1) / kTileRows;
  const std::int64_t piece_panels = panels_per_piece(panels, threads);
  const std::int64_t pieces_down = (tiles + kTilesPerPiece - 1) / kTilesPerPiece;
  const std::int64_t pieces = (panels + piece_panels - 1) / piece_panels * pieces_down;

  LinearTask task{};
  task.shape = product.shape;
  task.weights = bytes_of(dst->src[0]);
  task.inputs = kernels().view(bytes_of(dst->src[1]), product.count, product.shape.columns);
  task.bias = dst->src[2] == nullptr ? nullptr : static_cast<const float*>(dst->src[2]->data);
  task.output = static_cast<float*>(dst->data);
  for (auto piece = product.next_piece++; piece < pieces; piece = product.next_piece++) {
    task.begin_panel = piece / pieces_down * piece_panels;
    task.end_panel = std::min(panels, task.begin_panel + piece_panels);
    task.begin_tile = piece % pieces_down * kTilesPerPiece;
    task.end_tile = std::min(tiles, task.begin_tile + kTilesPerPiece);
    kernels().multiply(task);
  }
}

ggml_tensor* quantized(Graph& graph, ggml_tensor* x) {
  TRU_ASSERT(x->type == GGML_TYPE_F32 && ggml_is_contiguous(x));
  ggml_tensor*& made = graph.companion(x);
  if (made == nullptr) {
    const auto bytes =
        static_cast<std::int64_t>(kernels().quantized_bytes(ggml_nrows(x), x->ne[0]));
    made = ggml_custom_4d(graph.context(), GGML_TYPE_I8, bytes, 1, 1, 1, &x, 1, run_quantize,
                          GGML_N_TASKS_MAX, nullptr);
  }
  return made;
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

ggml_tensor* linear(Graph& graph, const Matrix& weights, ggml_tensor* bias, ggml_tensor* x) {
  ggml_context* context = graph.context();
  if (!weights.packed) {
    ggml_tensor* y = ggml_mul_mat(context, weights.tensor, x);
    return bias == nullptr ? y : ggml_add_inplace(context, y, bias);
  }
  TRU_ASSERT(x->ne[0] == weights.columns);
  const std::int64_t count = ggml_nrows(x);
  auto& product = graph.keep<Product>(weights.packed_shape(), count);
  graph.add_flop(2.0 * static_cast<double>(weights.rows * weights.columns * count));
  ggml_tensor* sources[] = {weights.tensor, quantized(graph, x), bias};
  return ggml_custom_4d(context, GGML_TYPE_F32, weights.rows, x->ne[1], x->ne[2], x->ne[3], sources,
                        bias == nullptr ? 2 : 3, run_product, GGML_N_TASKS_MAX, &product);
}

}  // namespace tru::tensor
