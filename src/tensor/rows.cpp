#include "tensor/rows.h"

#include <algorithm>
#include <array>
#include <atomic>

#include "base/assert.h"
#include "tensor/kernels/elementwise.h"

namespace tru::tensor {
namespace {

using ElementwiseKernel = void (*)(const float* x, float* y, std::int64_t count);

// Applies the ElementwiseKernel that `kernel` points to.
void run_elementwise(ggml_tensor* y, const ggml_tensor* x, int thread, int threads, void* kernel) {
  const std::int64_t count = ggml_nelements(x);
  const std::int64_t share = (count + threads - 1) / threads;
  const std::int64_t begin = std::min(count, share * thread);
  const std::int64_t end = std::min(count, begin + share);
  (*static_cast<ElementwiseKernel*>(kernel))(static_cast<const float*>(x->data) + begin,
                                             static_cast<float*>(y->data) + begin, end - begin);
}

ggml_tensor* elementwise(Graph& graph, ggml_tensor* x, ElementwiseKernel kernel) {
  return ggml_map_custom1_inplace(graph.context(), x, run_elementwise, GGML_N_TASKS_MAX,
                                  &graph.keep<ElementwiseKernel>(kernel));
}

}  // namespace

const LinearKernels& chosen_linear_kernels(std::int64_t count) {
  return linear_kernels(cpu_level(), count);
}

struct Rows::State {
  Shape shape;
  Prologue prologue = Prologue::none;
  ggml_tensor* x = nullptr;
  ggml_tensor* second = nullptr;
  ggml_tensor* bias = nullptr;
  float epsilon = 0;
  ggml_tensor* tensor = nullptr;     // since asked for
  ggml_tensor* quantized = nullptr;  // since asked for
  std::atomic<std::int64_t> next_piece = 0;
};

Rows::Rows(Graph& graph, Prologue prologue, ggml_tensor* x, ggml_tensor* second, ggml_tensor* bias,
           float epsilon)
    : Rows(graph, graph.keep<State>(std::to_array(x->ne), prologue, x, second, bias, epsilon)) {
  TRU_ASSERT(x->type == GGML_TYPE_F32);
  if (prologue == Prologue::none) state_->tensor = x;
}

Rows Rows::of_quantized(Graph& graph, ggml_tensor* block, const Shape& shape) {
  Rows rows(graph, graph.keep<State>(shape));
  rows.state_->quantized = block;
  return rows;
}

Rows Rows::gelu_tanh(Graph& graph, ggml_tensor* x) {
  return {graph, Prologue::gelu_tanh, x, nullptr, nullptr, 0};
}

Rows Rows::gelu_erf(Graph& graph, ggml_tensor* x) {
  return {graph, Prologue::gelu_erf, x, nullptr, nullptr, 0};
}

Rows Rows::swiglu(Graph& graph, ggml_tensor* x, ggml_tensor* second) {
  TRU_ASSERT(ggml_are_same_shape(x, second));
  return {graph, Prologue::swiglu, x, second, nullptr, 0};
}

Rows Rows::layer_norm(Graph& graph, ggml_tensor* x, ggml_tensor* weight, ggml_tensor* bias,
                      float epsilon) {
  return {graph, Prologue::layer_norm, x, weight, bias, epsilon};
}

Rows Rows::rms_norm(Graph& graph, ggml_tensor* x, ggml_tensor* weight, float epsilon) {
  return {graph, Prologue::rms_norm, x, weight, nullptr, epsilon};
}

std::int64_t Rows::columns() const {
  return state_->shape[0];
}

std::int64_t Rows::count() const {
  const Shape& ne = state_->shape;
  return ne[1] * ne[2] * ne[3];
}

const Rows::Shape& Rows::shape() const {
  return state_->shape;
}

ggml_tensor* Rows::tensor() const {
  State& s = *state_;
  if (s.tensor != nullptr) return s.tensor;
  TRU_ASSERT(s.x != nullptr);
  ggml_context* context = graph_->context();
  const bool cpu = graph_->device().is_cpu();
  const ElementwiseKernels& kernels = elementwise_kernels(cpu_level());
  switch (s.prologue) {
    case Prologue::none:
      break;
    case Prologue::gelu_tanh:
      s.tensor =
          cpu ? elementwise(*graph_, s.x, kernels.gelu_tanh) : ggml_gelu_inplace(context, s.x);
      break;
    case Prologue::gelu_erf:
      s.tensor =
          cpu ? elementwise(*graph_, s.x, kernels.gelu_erf) : ggml_gelu_erf_inplace(context, s.x);
      break;
    case Prologue::swiglu:
      s.tensor = ggml_swiglu_split(context, s.x, s.second);
      break;
    case Prologue::layer_norm:
      s.tensor = ggml_mul_inplace(context, ggml_norm(context, s.x, s.epsilon), s.second);
      s.tensor = ggml_add_inplace(context, s.tensor, s.bias);
      break;
    case Prologue::rms_norm:
      s.tensor = ggml_mul_inplace(context, ggml_rms_norm(context, s.x, s.epsilon), s.second);
      break;
  }
  return s.tensor;
}

// Threads take whole tiles, whose rows share cache lines, and the next when they are through.
void Rows::run_quantize(ggml_tensor* dst, int, int, void* state) {
  constexpr std::int64_t kTilesPerPiece = 4;
  auto& s = *static_cast<State*>(state);
  QuantizeTask task{};
  task.columns = s.x->ne[0];
  task.x = {floats_of(s.x), task.columns};
  task.prologue = s.prologue;
  task.second = floats_of(s.second);
  task.bias = floats_of(s.bias);
  task.epsilon = s.epsilon;
  const std::int64_t count = ggml_nrows(s.x);
  const LinearKernels& kernels = chosen_linear_kernels(count);
  task.out = kernels.view(static_cast<std::byte*>(dst->data), count, task.columns);
  task.end_span = task.out.spans();
  const std::int64_t tiles = task.out.tiles();
  const std::int64_t pieces = (tiles + kTilesPerPiece - 1) / kTilesPerPiece;
  for (auto piece = s.next_piece++; piece < pieces; piece = s.next_piece++) {
    task.begin_tile = piece * kTilesPerPiece;
    task.end_tile = std::min(tiles, task.begin_tile + kTilesPerPiece);
    kernels.quantize(task);
  }
}

ggml_tensor* Rows::quantized() const {
  State& s = *state_;
  if (s.quantized != nullptr) return s.quantized;
  for (const ggml_tensor* source : {s.x, s.second, s.bias}) {
    TRU_ASSERT(source == nullptr || ggml_is_contiguous(source));
  }
  const auto bytes =
      static_cast<std::int64_t>(chosen_linear_kernels(count()).quantized_bytes(count(), columns()));
  ggml_tensor* sources[] = {s.x, s.second, s.bias};  // those that there are come first
  const int num_sources = s.second == nullptr ? 1 : s.bias == nullptr ? 2 : 3;
  s.quantized = ggml_custom_4d(graph_->context(), GGML_TYPE_I8, bytes, 1, 1, 1, sources,
                               num_sources, run_quantize, GGML_N_TASKS_MAX, state_);
  return s.quantized;
}

}  // namespace tru::tensor
