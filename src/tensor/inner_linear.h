// The inner layers of MLPs: linear layers of whose outputs only an activation is wanted, as the
// inputs of another linear layer. On CPUs, with packed weights and rows enough, 256 channels of
// some rows are computed, activated and quantised while they are in a core's caches; as floats they
// never get to memory.
#pragma once

#include "tensor/linear.h"

namespace tru::tensor {

// GELU(W x + b), in its tanh form or by the error function. bias: f32 [weights.rows] or null.
Rows linear_gelu_tanh(Graph& graph, const Matrix& weights, ggml_tensor* bias, const Rows& x);
Rows linear_gelu_erf(Graph& graph, const Matrix& weights, ggml_tensor* bias, const Rows& x);

// g sigmoid(g) u of g = gate x and u = up x.
Rows linear_swiglu(Graph& graph, const Matrix& gate, const Matrix& up, const Rows& x);

}  // namespace tru::tensor
