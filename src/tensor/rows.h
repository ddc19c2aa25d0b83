// What linear layers read: the rows of a tensor, or a cheap function of them. Layers with packed
// weights compute the function while they quantise the rows, once for all of them; to others it is
// a tensor of its own.
#pragma once

#include <array>
#include <cstdint>

#include "tensor/graph.h"
#include "tensor/kernels/linear.h"

namespace tru::tensor {

class Rows {
 public:
  using Shape = std::array<std::int64_t, GGML_MAX_DIMS>;  // ne

  // x: f32, contiguous, ne = {columns, ...}
  Rows(Graph& graph, ggml_tensor* x) : Rows(graph, Prologue::none, x, nullptr, nullptr, 0) {}

  // They may overwrite x, but for the norms. Both are as exact as f32 is.
  static Rows gelu_tanh(Graph& graph, ggml_tensor* x);
  static Rows gelu_erf(Graph& graph, ggml_tensor* x);
  // x sigmoid(x) second; second is like x.
  static Rows swiglu(Graph& graph, ggml_tensor* x, ggml_tensor* second);
  // weight, bias: f32 [columns]
  static Rows layer_norm(Graph& graph, ggml_tensor* x, ggml_tensor* weight, ggml_tensor* bias,
                         float epsilon);
  static Rows rms_norm(Graph& graph, ggml_tensor* x, ggml_tensor* weight, float epsilon);

  // Rows that are quantised already: see quantized(). They have no tensor().
  static Rows of_quantized(Graph& graph, ggml_tensor* block, const Shape& shape);

  std::int64_t columns() const;
  std::int64_t count() const;
  const Shape& shape() const;

  // As a tensor like x.
  ggml_tensor* tensor() const;
  // As a block that starts as the kernels' view() describes. On CPUs.
  ggml_tensor* quantized() const;

 private:
  struct State;
  Rows(Graph& graph, State& state) : graph_(&graph), state_(&state) {}
  Rows(Graph& graph, Prologue prologue, ggml_tensor* x, ggml_tensor* second, ggml_tensor* bias,
       float epsilon);

  static void run_quantize(ggml_tensor* dst, int thread, int threads, void* state);

  Graph* graph_;
  State* state_;  // the graph's
};

// The kernels that linear layers use on this machine for `count` rows.
const LinearKernels& chosen_linear_kernels(std::int64_t count);

}  // namespace tru::tensor
