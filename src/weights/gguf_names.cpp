#include "weights/gguf_names.h"

#include <charconv>
#include <optional>
#include <span>

namespace tru::weights {
namespace {

struct Rename {
  std::string_view from, to;
};

// Of a layer, and of what stands outside layers; suffixes ".weight" and ".bias" stay.
constexpr Rename kLayer[] = {
    {"input_layernorm", "attn_norm"},
    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},
    {"self_attn.o_proj", "attn_output"},
    {"self_attn.q_norm", "attn_q_norm"},
    {"self_attn.k_norm", "attn_k_norm"},
    {"post_attention_layernorm", "ffn_norm"},
    {"mlp.gate_proj", "ffn_gate"},
    {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"},
    {"mlp.gate", "ffn_gate_inp"},
    {"mlp.experts.gate_proj", "ffn_gate_exps"},
    {"mlp.experts.up_proj", "ffn_up_exps"},
    {"mlp.experts.down_proj", "ffn_down_exps"},
};
constexpr Rename kText[] = {
    {"model.language_model.embed_tokens", "token_embd"},
    {"model.language_model.norm", "output_norm"},
    {"lm_head", "output"},
};
constexpr Rename kBlock[] = {
    {"norm1", "ln1"},
    {"norm2", "ln2"},
    {"attn.qkv", "attn_qkv"},
    {"attn.proj", "attn_out"},
    {"mlp.linear_fc1", "ffn_up"},
    {"mlp.linear_fc2", "ffn_down"},
};
constexpr Rename kMerger[] = {{"norm", "norm"}, {"linear_fc1", "fc1"}, {"linear_fc2", "fc2"}};
constexpr Rename kVision[] = {
    {"patch_embed.proj", "v.patch_embd"}, {"pos_embed", "v.position_embd"},
    {"merger.norm", "v.post_ln"},         {"merger.linear_fc1", "mm.0"},
    {"merger.linear_fc2", "mm.2"},
};

std::string rename(std::string_view stem, std::span<const Rename> table) {
  for (const Rename& row : table) {
    if (row.from == stem) return std::string(row.to);
  }
  return {};
}

struct Numbered {
  std::size_t number;
  std::string_view rest;
};

// "layers.7.mlp.gate" with the prefix "layers." is 7 and "mlp.gate".
std::optional<Numbered> numbered(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  Numbered result{};
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), result.number);
  const auto digits = static_cast<std::size_t>(parsed.ptr - name.data());
  if (parsed.ec != std::errc() || digits == 0 || digits >= name.size()) return std::nullopt;
  result.rest = name.substr(digits + 1);
  return result;
}

std::string vision_stem(std::string_view stem, const VisionConfig& vision) {
  if (const auto block = numbered(stem, "blocks.")) {
    const std::string name = rename(block->rest, kBlock);
    return name.empty() ? name : fmt::format("v.blk.{}.{}", block->number, name);
  }
  if (const auto merger = numbered(stem, "deepstack_merger_list.")) {
    const std::string name = rename(merger->rest, kMerger);
    if (name.empty() || merger->number >= vision.deepstack_visual_indexes.size()) return {};
    // Numbered by the block they tap.
    return fmt::format("v.deepstack.{}.{}", vision.deepstack_visual_indexes[merger->number], name);
  }
  return rename(stem, kVision);
}

std::string text_stem(std::string_view stem) {
  if (const auto layer = numbered(stem, "model.language_model.layers.")) {
    const std::string name = rename(layer->rest, kLayer);
    return name.empty() ? name : fmt::format("blk.{}.{}", layer->number, name);
  }
  return rename(stem, kText);
}

}  // namespace

GgufName gguf_name(std::string_view published, const VisionConfig& vision) {
  std::string_view stem = published, suffix;
  for (const std::string_view end : {".weight", ".bias"}) {
    if (!published.ends_with(end)) continue;
    stem.remove_suffix(end.size());
    suffix = end;
  }
  if (suffix.empty()) suffix = ".weight";  // experts' matrices have none
  constexpr std::string_view kVisionRoot = "model.visual.";
  GgufName result;
  result.is_vision = stem.starts_with(kVisionRoot);
  result.name =
      result.is_vision ? vision_stem(stem.substr(kVisionRoot.size()), vision) : text_stem(stem);
  if (!result.name.empty()) result.name += suffix;
  return result;
}

}  // namespace tru::weights
