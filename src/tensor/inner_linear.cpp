#include "tensor/inner_linear.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <vector>

#include "base/assert.h"

namespace tru::tensor {
namespace {

constexpr std::int64_t kPanelsPerSpan = kSpanColumns / kPanelRows;

// One layer, or gate and up; how their work is cut into pieces of one span of channels and some
// tiles of rows, which threads take one after the other.
struct Inner {
  Prologue activation;
  PackedShape shape;   // of each layer
  std::int64_t count;  // rows
  int layers;
  ggml_tensor* bias;
  int threads;
  std::atomic<std::int64_t> next_piece = 0;

  const LinearKernels& kernels() const { return chosen_linear_kernels(count); }

  std::int64_t tiles() const {
    const std::int64_t rows = kernels().tile_rows;
    return (count + rows - 1) / rows;
  }
  std::int64_t spans() const { return (shape.rows + kSpanColumns - 1) / kSpanColumns; }

  // As many as kernels like, or fewer, so that all threads have something to do.
  std::int64_t tiles_per_piece() const {
    const std::int64_t share = kernels().tiles_per_share;
    return std::clamp(tiles() * spans() / (4 * threads), std::max<std::int64_t>(1, share / 4),
                      share);
  }
  std::int64_t pieces_down() const { return (tiles() + tiles_per_piece() - 1) / tiles_per_piece(); }
  bool is_worth_it() const { return pieces_down() * spans() >= 4 * threads; }

  // A thread keeps a piece's floats behind the quantised block, those of each layer apart.
  std::int64_t floats_per_layer() const {
    return tiles_per_piece() * kernels().tile_rows * kSpanColumns;
  }
  std::size_t block_bytes() const {
    return (kernels().quantized_bytes(count, shape.rows) + 63) / 64 * 64;
  }
  std::size_t bytes() const {
    const auto floats = static_cast<std::size_t>(threads * layers * floats_per_layer());
    return block_bytes() + floats * sizeof(float) + 64;
  }
  float* floats(ggml_tensor* dst, int thread) const {
    auto* behind = static_cast<std::byte*>(dst->data) + block_bytes();
    behind += -reinterpret_cast<std::uintptr_t>(behind) % 64;
    return reinterpret_cast<float*>(behind) + thread * layers * floats_per_layer();
  }
};

// sources: quantised x, the layers' weights, bias if there is one.
void run_inner(ggml_tensor* dst, int thread, int, void* state) {
  auto& inner = *static_cast<Inner*>(state);
  TRU_ASSERT(thread < inner.threads);
  const LinearKernels& kernels = inner.kernels();
  float* floats = inner.floats(dst, thread);

  LinearTask product{.shape = inner.shape};
  product.inputs =
      kernels.view(static_cast<std::byte*>(dst->src[0]->data), inner.count, inner.shape.columns);
  product.bias = floats_of(inner.bias);
  product.output.step = kSpanColumns;
  product.read_soon = true;

  QuantizeTask rounding{.columns = inner.shape.rows, .prologue = inner.activation};
  rounding.out = kernels.view(static_cast<std::byte*>(dst->data), inner.count, inner.shape.rows);
  rounding.second = inner.layers == 2 ? floats + inner.floats_per_layer() : nullptr;

  const std::int64_t down = inner.pieces_down();
  const std::int64_t pieces = down * inner.spans();
  for (auto piece = inner.next_piece++; piece < pieces; piece = inner.next_piece++) {
    const std::int64_t span = piece / down;
    product.begin_tile = piece % down * inner.tiles_per_piece();
    product.end_tile = std::min(inner.tiles(), product.begin_tile + inner.tiles_per_piece());
    product.begin_panel = span * kPanelsPerSpan;
    product.end_panel = std::min(inner.shape.panels(), product.begin_panel + kPanelsPerSpan);
    product.output.first_row = product.begin_tile * kernels.tile_rows;
    product.output.first_channel = span * kSpanColumns;
    for (int i = 0; i < inner.layers; ++i) {
      product.weights = static_cast<const std::byte*>(dst->src[1 + i]->data);
      product.output.values = floats + i * inner.floats_per_layer();
      kernels.multiply(product);
    }
    rounding.x = {floats, kSpanColumns, product.output.first_row, product.output.first_channel};
    rounding.begin_tile = product.begin_tile;
    rounding.end_tile = product.end_tile;
    rounding.begin_span = span;
    rounding.end_span = span + 1;
    kernels.quantize(rounding);
  }
}

// Nothing if it is better computed in steps.
std::optional<Rows> fused(Graph& graph, Prologue activation, std::initializer_list<Matrix> layers,
                          ggml_tensor* bias, const Rows& x) {
  const Matrix& first = *layers.begin();
  for (const Matrix& layer : layers) {
    if (!layer.packed || layer.packed != first.packed) return std::nullopt;
    TRU_ASSERT(layer.rows == first.rows && layer.columns == x.columns());
  }
  const int count = static_cast<int>(layers.size());
  auto& inner = graph.keep<Inner>(activation, first.packed_shape(), x.count(), count, bias,
                                  graph.device().threads());
  if (!inner.is_worth_it()) return std::nullopt;
  std::vector<ggml_tensor*> sources = {x.quantized()};
  for (const Matrix& layer : layers) {
    sources.push_back(layer.tensor);
    graph.add_flop(2.0 * static_cast<double>(layer.rows * layer.columns * x.count()));
  }
  if (bias != nullptr) sources.push_back(bias);
  ggml_tensor* block = ggml_custom_4d(
      graph.context(), GGML_TYPE_I8, static_cast<std::int64_t>(inner.bytes()), 1, 1, 1,
      sources.data(), static_cast<int>(sources.size()), run_inner, GGML_N_TASKS_MAX, &inner);
  Rows::Shape shape = x.shape();
  shape[0] = first.rows;
  return Rows::of_quantized(graph, block, shape);
}

}  // namespace

Rows linear_gelu_tanh(Graph& graph, const Matrix& weights, ggml_tensor* bias, const Rows& x) {
  if (auto rows = fused(graph, Prologue::gelu_tanh, {weights}, bias, x)) return *rows;
  return Rows::gelu_tanh(graph, linear(graph, weights, bias, x));
}

Rows linear_gelu_erf(Graph& graph, const Matrix& weights, ggml_tensor* bias, const Rows& x) {
  if (auto rows = fused(graph, Prologue::gelu_erf, {weights}, bias, x)) return *rows;
  return Rows::gelu_erf(graph, linear(graph, weights, bias, x));
}

Rows linear_swiglu(Graph& graph, const Matrix& gate, const Matrix& up, const Rows& x) {
  if (auto rows = fused(graph, Prologue::swiglu, {gate, up}, nullptr, x)) return *rows;
  return Rows::swiglu(graph, linear(graph, gate, nullptr, x), linear(graph, up, nullptr, x));
}

}  // namespace tru::tensor
