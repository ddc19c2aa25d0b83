// The config.json of every published Qwen3-VL size, for tests: what the sizes share is a text,
// what differs is a table.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>

namespace tru::weights {

struct PublishedSize {
  const char* name;
  // text_config
  int hidden_size, intermediate_size, num_hidden_layers, num_attention_heads, num_key_value_heads;
  bool tie_word_embeddings;
  int moe_intermediate_size;  // 0: dense
  // vision_config
  int depth, vision_hidden_size, vision_intermediate_size;
  const char* deepstack_visual_indexes;
  std::int64_t num_parameters;  // as the hub counts them in the published files
};

inline constexpr PublishedSize kPublishedSizes[] = {
    {"2B", 2048, 6144, 28, 16, 8, true, 0, 24, 1024, 4096, "[5, 11, 17]", 2'127'532'032},
    {"4B", 2560, 9728, 36, 32, 8, true, 0, 24, 1024, 4096, "[5, 11, 17]", 4'437'815'808},
    {"8B", 4096, 12288, 36, 32, 8, false, 0, 27, 1152, 4304, "[8, 16, 24]", 8'767'123'696},
    {"32B", 5120, 25600, 64, 64, 8, false, 0, 27, 1152, 4304, "[8, 16, 24]", 33'357'390'064},
    {"30B-A3B", 2048, 6144, 48, 32, 4, false, 768, 27, 1152, 4304, "[8, 16, 24]", 31'070'754'032},
    {"235B-A22B", 4096, 12288, 94, 64, 4, false, 1536, 27, 1152, 4304, "[8, 16, 24]",
     235'670'022'896},
};

inline std::string published_config(const PublishedSize& size) {
  const bool is_moe = size.moe_intermediate_size != 0;
  const std::string type = is_moe ? "qwen3_vl_moe" : "qwen3_vl";
  const std::string experts = is_moe
                                  ? fmt::format(R"("decoder_sparse_step": 1, "mlp_only_layers": [],
    "moe_intermediate_size": {}, "norm_topk_prob": true, "num_experts": 128,
    "num_experts_per_tok": 8,)",
                                                size.moe_intermediate_size)
                                  : "";
  const std::string text = fmt::format(
      R"({{"attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 151643,
    "dtype": "bfloat16", "eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu",
    "hidden_size": {}, "initializer_range": 0.02, "intermediate_size": {},
    "max_position_embeddings": 262144, "model_type": "{}_text", {}
    "num_attention_heads": {}, "num_hidden_layers": {}, "num_key_value_heads": {},
    "rms_norm_eps": 1e-06, "rope_scaling": {{"mrope_interleaved": true,
    "mrope_section": [24, 20, 20], "rope_type": "default"}}, "rope_theta": 5000000,
    "use_cache": true, "vocab_size": 151936}})",
      size.hidden_size, size.intermediate_size, type, experts, size.num_attention_heads,
      size.num_hidden_layers, size.num_key_value_heads);
  const std::string vision = fmt::format(
      R"({{"deepstack_visual_indexes": {}, "depth": {}, "hidden_act": "gelu_pytorch_tanh",
    "hidden_size": {}, "in_channels": 3, "initializer_range": 0.02, "intermediate_size": {},
    "model_type": "{}", "num_heads": 16, "num_position_embeddings": 2304,
    "out_hidden_size": {}, "patch_size": 16, "spatial_merge_size": 2,
    "temporal_patch_size": 2}})",
      size.deepstack_visual_indexes, size.depth, size.vision_hidden_size,
      size.vision_intermediate_size, type, size.hidden_size);
  return fmt::format(
      R"({{"architectures": ["{}"], "image_token_id": 151655, "model_type": "{}",
    "text_config": {}, "tie_word_embeddings": {}, "transformers_version": "4.57.0.dev0",
    "video_token_id": 151656, "vision_config": {}, "vision_end_token_id": 151653,
    "vision_start_token_id": 151652}})",
      is_moe ? "Qwen3VLMoeForConditionalGeneration" : "Qwen3VLForConditionalGeneration", type, text,
      size.tie_word_embeddings, vision);
}

}  // namespace tru::weights
