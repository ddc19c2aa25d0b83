// Softmax attention in a graph: operators with kernels of our own, and ggml's operators.
#pragma once

#include <cstdint>

#include "tensor/graph.h"

namespace tru::tensor {

// Which keys a query row sees.
struct Visibility {
  bool causal = false;    // row i sees the first past + i + 1 keys; else all see all
  std::int64_t past = 0;  // keys before those of the first row
};

// On CPUs. q: f32, ne = {head_dim, heads, rows, batches}; k, v: f32 or f16, ne = {head_dim,
// key heads, keys, batches}; all with head_dim contiguous and any other strides. Consecutive heads
// of q share a key head. Scores are scaled by head_dim^(-1/2).
// Result: f32, ne = {head_dim * heads, rows, batches}.
ggml_tensor* attention(Graph& graph, ggml_tensor* q, ggml_tensor* k, ggml_tensor* v,
                       const Visibility& visibility);

// On every device. q: f32, ne = {head_dim, rows, heads, batches}; k, v: f32 or f16, ne = {head_dim,
// keys, key heads, batches}; mask: f16, ne = {keys, rows}, added to the scores, or null.
// Result: f32, contiguous, ne = {head_dim, heads, rows, batches}.
ggml_tensor* ggml_attention(Graph& graph, ggml_tensor* q, ggml_tensor* k, ggml_tensor* v,
                            ggml_tensor* mask);

// The same with all scores in memory at once. ggml_attention() takes it where the device has no
// fused operator for this size of heads.
ggml_tensor* unfused_attention(Graph& graph, ggml_tensor* q, ggml_tensor* k, ggml_tensor* v,
                               ggml_tensor* mask);

}  // namespace tru::tensor
