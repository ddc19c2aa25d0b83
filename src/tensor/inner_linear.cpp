#include "tensor/inner_linear.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <vector>

#include "base/assert.h"
#include "tensor/pieces.h"

namespace tru::tensor {
namespace {

// One layer, or gate and up; how their work is cut into pieces of one span of channels and some
// tiles of rows.
struct Inner {
  Prologue activation;
  PackedShape shape;   // of each layer
  std::int64_t count;  // rows
  int layers;
  ggml_tensor* bias;
  int threads;
  std::atomic<std::int64_t> next_piece = 0;

  const LinearKernels& kernels() const { return chosen_linear_kernels(count); }

  std::int64_t tiles() const { return parts_of(count, kernels().tile_rows); }
  std::int64_t spans() const { return InnerPieces::spans(shape); }

  // As many as kernels like, or fewer, so that all threads have something to do.
  std::int64_t tiles_per_piece() const {
    const std::int64_t share = kernels().tiles_per_share;
    return std::clamp(tiles() * spans() / (4 * threads), std::max<std::int64_t>(1, share / 4),
                      share);
  }
  std::int64_t pieces_down() const { return parts_of(tiles(), tiles_per_piece()); }
  bool is_worth_it() const { return pieces_down() * spans() >= 4 * threads; }

  // Of a thread, behind the quantised block.
  std::int64_t floats_per_thread() const {
    return InnerPieces::floats(kernels(), tiles_per_piece(), layers);
  }
  std::size_t block_bytes() const {
    return (kernels().quantized_bytes(count, shape.rows) + 63) / 64 * 64;
  }
  std::size_t bytes() const {
    const auto floats = static_cast<std::size_t>(threads * floats_per_thread());
    return block_bytes() + floats * sizeof(float) + 64;
  }
  float* floats(ggml_tensor* dst, int thread) const {
    auto* behind = static_cast<std::byte*>(dst->data) + block_bytes();
    behind += -reinterpret_cast<std::uintptr_t>(behind) % 64;
    return reinterpret_cast<float*>(behind) + thread * floats_per_thread();
  }
};

// sources: quantised x, the layers' weights, bias if there is one.
void run_inner(ggml_tensor* dst, int thread, int, void* state) {
  auto& inner = *static_cast<Inner*>(state);
  TRU_ASSERT(thread < inner.threads);
  const LinearKernels& kernels = inner.kernels();
  const std::byte* layers[2] = {};
  for (int i = 0; i < inner.layers; ++i) {
    layers[i] = static_cast<const std::byte*>(dst->src[1 + i]->data);
  }
  InnerPieces pieces{.kernels = kernels,
                     .product = {.shape = inner.shape, .bias = floats_of(inner.bias)},
                     .rounding = {.columns = inner.shape.rows, .prologue = inner.activation},
                     .layers = {layers, static_cast<std::size_t>(inner.layers)}};
  pieces.product.inputs =
      kernels.view(static_cast<std::byte*>(dst->src[0]->data), inner.count, inner.shape.columns);
  pieces.rounding.out =
      kernels.view(static_cast<std::byte*>(dst->data), inner.count, inner.shape.rows);
  const std::int64_t down = inner.pieces_down();
  const std::int64_t count = down * inner.spans();
  for (auto piece = inner.next_piece++; piece < count; piece = inner.next_piece++) {
    const std::int64_t begin = piece % down * inner.tiles_per_piece();
    pieces.run(piece / down, begin, std::min(inner.tiles(), begin + inner.tiles_per_piece()),
               inner.floats(dst, thread));
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
