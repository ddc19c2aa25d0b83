// Graph operators that ggml lacks or does less exactly than the reference needs.
#pragma once

#include "tensor/graph.h"

namespace tru::tensor {

// GELU, tanh form, elementwise on a contiguous f32 tensor; may overwrite x.
ggml_tensor* gelu_tanh(Graph& graph, ggml_tensor* x);

}  // namespace tru::tensor
