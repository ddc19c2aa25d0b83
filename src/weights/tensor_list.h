// Names and shapes of all tensors of a Qwen3-VL model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weights/config.h"

namespace tru::weights {

struct TensorSpec {
  std::string name;
  std::vector<std::int64_t> shape;

  std::size_t num_elements() const;
};

// Every tensor that a model of this configuration needs, by its published name
// (model.visual.*, model.language_model.*, lm_head.weight), with its shape on disk.
// Linear weights are [out, in], but the experts' are input-major: gate_up_proj
// [num_experts, hidden, 2 * moe_intermediate] (gate first), down_proj
// [num_experts, moe_intermediate, hidden]. Without lm_head.weight if it is tied.
std::vector<TensorSpec> expected_tensors(const ModelConfig& config);

// Whether a tensor of this published name is the vision encoder's.
inline bool is_vision(std::string_view name) {
  return name.starts_with("model.visual.");
}

// The published name for a name as found in a file: other programs save the same tensors without
// the leading "model.", with the two models nested the other way round, or with the language model
// directly under "model.".
std::string published_name(std::string_view name);

}  // namespace tru::weights
