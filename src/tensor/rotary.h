// Rotary position embedding: pair k of a head's numbers, x[k] and x[k + head_dim / 2], is turned by
// the angle position / wavelength[k].
#pragma once

#include <array>

#include "tensor/graph.h"

namespace tru::tensor {

// Whose position turns which pairs.
enum class RotaryAxes {
  halves,       // the first half by the first axis, the second by the second: vision
  interleaved,  // by the axes T, H, W in turn, as many as `sections` say; what is left by T
};

// The rotation of one graph's rows. On CPUs sines and cosines are computed once, for all tensors
// that are rotated.
class Rotary {
 public:
  // positions: i32 [4 * rows], four axes one after another (interleaved: the fourth is T again);
  // wavelengths: f32 [head_dim / 2]; sections: pairs of T, H and W (interleaved).
  Rotary(Graph& graph, ggml_tensor* positions, ggml_tensor* wavelengths, RotaryAxes axes,
         const std::array<int, 3>& sections = {});

  // x: f32, ne = {head_dim, heads, rows, batches}, numbers of a row's head side by side. The result
  // is contiguous.
  ggml_tensor* operator()(ggml_tensor* x) const;

 private:
  Graph* graph_;
  ggml_tensor* positions_;
  ggml_tensor* wavelengths_;
  RotaryAxes axes_;
  std::array<int, 3> sections_;
  ggml_tensor* table_ = nullptr;  // CPUs: cosines and sines, f32 [head_dim, rows]
};

}  // namespace tru::tensor
