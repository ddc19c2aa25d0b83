// Mixtures of experts: each token goes through a few of many small MLPs, whose results are added up
// by weight. By ggml or, where their matrices are packed, by kernels of our own: the tokens of each
// expert together, so that its weights are read once.
#pragma once

#include <cstdint>
#include <optional>

#include "tensor/linear.h"

namespace tru::tensor {

// One matrix of every expert, each of `rows` output and `columns` input channels.
struct ExpertMatrices {
  ggml_tensor* tensor = nullptr;  // plain: ne = {columns, rows, experts}; packed: one by one
  std::int64_t experts = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::optional<PackedFormat> packed;

  PackedShape packed_shape() const { return {*packed, rows, columns}; }  // of each
};

// Their header in `context`, without data.
ExpertMatrices new_expert_matrices(ggml_context* context, const MatrixType& type,
                                   std::int64_t experts, std::int64_t rows, std::int64_t columns);

// Gate and up in one, gate's rows first; packed, if they are, both or neither.
struct ExpertMlps {
  ExpertMatrices gate_up;  // [2 inner, hidden]; packed: inner is a multiple of 16
  ExpertMatrices down;     // [hidden, inner]
};

// Which experts a token goes through, and how much each counts.
struct Routing {
  ggml_tensor* experts;  // i32, ne = {chosen, tokens}; rows may lie apart
  ggml_tensor* weights;  // f32, ne = {chosen, tokens}
};

// addend + the sum, over each token's experts, of weight * down (g sigmoid(g) u), g = gate x and
// u = up x. x, addend and result: f32, contiguous, ne = {hidden, tokens}.
ggml_tensor* mixture_of_experts(Graph& graph, const ExpertMlps& mlps, const Routing& routing,
                                ggml_tensor* x, ggml_tensor* addend);

}  // namespace tru::tensor
