#include "weights/tensor_list.h"

namespace tru::weights {
namespace {

using Shape = std::vector<std::int64_t>;

class List {
 public:
  void add(const std::string& name, Shape shape) { specs_.push_back({name, std::move(shape)}); }

  void add_with_bias(const std::string& name, Shape shape) {
    const std::int64_t rows = shape[0];
    add(name + ".weight", std::move(shape));
    add(name + ".bias", {rows});
  }

  std::vector<TensorSpec> take() { return std::move(specs_); }

 private:
  std::vector<TensorSpec> specs_;
};

// norm_width: the merger normalises one patch, the deepstack mergers the joined ones.
void add_merger(List& list, const std::string& name, const VisionConfig& vision,
                std::int64_t norm_width) {
  const std::int64_t merged =
      std::int64_t{vision.hidden_size} * vision.spatial_merge_size * vision.spatial_merge_size;
  list.add_with_bias(name + ".norm", {norm_width});
  list.add_with_bias(name + ".linear_fc1", {merged, merged});
  list.add_with_bias(name + ".linear_fc2", {vision.out_hidden_size, merged});
}

void add_vision(List& list, const VisionConfig& vision) {
  const std::string root = "model.visual.";
  const std::int64_t hidden = vision.hidden_size;
  const std::int64_t merged = hidden * vision.spatial_merge_size * vision.spatial_merge_size;
  list.add_with_bias(root + "patch_embed.proj",
                     {hidden, vision.in_channels, vision.temporal_patch_size, vision.patch_size,
                      vision.patch_size});
  list.add(root + "pos_embed.weight", {vision.num_position_embeddings, hidden});
  for (int i = 0; i < vision.depth; ++i) {
    const std::string block = fmt::format("{}blocks.{}.", root, i);
    list.add_with_bias(block + "norm1", {hidden});
    list.add_with_bias(block + "attn.qkv", {3 * hidden, hidden});
    list.add_with_bias(block + "attn.proj", {hidden, hidden});
    list.add_with_bias(block + "norm2", {hidden});
    list.add_with_bias(block + "mlp.linear_fc1", {vision.intermediate_size, hidden});
    list.add_with_bias(block + "mlp.linear_fc2", {hidden, vision.intermediate_size});
  }
  add_merger(list, root + "merger", vision, hidden);
  for (std::size_t i = 0; i < vision.deepstack_visual_indexes.size(); ++i) {
    add_merger(list, fmt::format("{}deepstack_merger_list.{}", root, i), vision, merged);
  }
}

void add_mlp(List& list, const std::string& mlp, const TextConfig& text, bool is_sparse) {
  const std::int64_t hidden = text.hidden_size;
  if (is_sparse) {
    const std::int64_t experts = text.num_experts, inner = text.moe_intermediate_size;
    list.add(mlp + "gate.weight", {experts, hidden});
    list.add(mlp + "experts.gate_up_proj", {experts, hidden, 2 * inner});
    list.add(mlp + "experts.down_proj", {experts, inner, hidden});
  } else {
    list.add(mlp + "gate_proj.weight", {text.intermediate_size, hidden});
    list.add(mlp + "up_proj.weight", {text.intermediate_size, hidden});
    list.add(mlp + "down_proj.weight", {hidden, text.intermediate_size});
  }
}

void add_text(List& list, const TextConfig& text) {
  const std::string root = "model.language_model.";
  const std::int64_t hidden = text.hidden_size;
  const std::int64_t queries = std::int64_t{text.num_attention_heads} * text.head_dim;
  const std::int64_t keys = std::int64_t{text.num_key_value_heads} * text.head_dim;
  list.add(root + "embed_tokens.weight", {text.vocab_size, hidden});
  for (int i = 0; i < text.num_hidden_layers; ++i) {
    const std::string layer = fmt::format("{}layers.{}.", root, i);
    list.add(layer + "input_layernorm.weight", {hidden});
    list.add(layer + "self_attn.q_proj.weight", {queries, hidden});
    list.add(layer + "self_attn.k_proj.weight", {keys, hidden});
    list.add(layer + "self_attn.v_proj.weight", {keys, hidden});
    list.add(layer + "self_attn.o_proj.weight", {hidden, queries});
    list.add(layer + "self_attn.q_norm.weight", {text.head_dim});
    list.add(layer + "self_attn.k_norm.weight", {text.head_dim});
    list.add(layer + "post_attention_layernorm.weight", {hidden});
    add_mlp(list, layer + "mlp.", text, text.is_sparse(i));
  }
  list.add(root + "norm.weight", {hidden});
  if (!text.tie_word_embeddings) list.add("lm_head.weight", {text.vocab_size, hidden});
}

}  // namespace

std::vector<TensorSpec> expected_tensors(const ModelConfig& config) {
  List list;
  add_vision(list, config.vision);
  add_text(list, config.text);
  return list.take();
}

std::size_t TensorSpec::num_elements() const {
  std::size_t count = 1;
  for (const std::int64_t size : shape) count *= static_cast<std::size_t>(size);
  return count;
}

std::string published_name(std::string_view name) {
  struct Rename {
    std::string_view from, to;
  };
  // The first that fits; the published spellings stand first and stay.
  constexpr Rename kRenames[] = {
      {"model.language_model.", "model.language_model."},
      {"model.visual.", "model.visual."},
      {"visual.", "model.visual."},
      {"language_model.lm_head.", "lm_head."},
      {"language_model.model.", "model.language_model."},
      {"language_model.", "model.language_model."},
      {"model.", "model.language_model."},
  };
  for (const Rename& rename : kRenames) {
    if (name.starts_with(rename.from)) {
      return std::string(rename.to).append(name.substr(rename.from.size()));
    }
  }
  return std::string(name);
}

}  // namespace tru::weights
