// What a checkpoint's JSON files say about the model, its inputs and its answers. Names are those
// of Hugging Face's config.json (transformers models/qwen3_vl and models/qwen3_vl_moe).
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace tru::weights {

// The language model.
struct TextConfig {
  int hidden_size = 0;
  int num_hidden_layers = 0;
  int num_attention_heads = 0;
  int num_key_value_heads = 0;  // divides num_attention_heads
  int head_dim = 0;             // even; may differ from hidden_size / num_attention_heads
  int intermediate_size = 0;    // of the dense layers
  int vocab_size = 0;           // rows of the embedding: may exceed the tokenizer's ids
  int max_position_embeddings = 0;
  double rms_norm_eps = 0;
  double rope_theta = 0;
  std::array<int, 3> mrope_section{};  // T, H, W; their sum is head_dim / 2
  bool tie_word_embeddings = false;    // lm_head is the embedding matrix

  // Mixture of experts (model_type qwen3_vl_moe); 0 and empty otherwise. The selected experts'
  // weights are always renormalised to sum 1.
  int num_experts = 0;
  int num_experts_per_tok = 0;
  int moe_intermediate_size = 0;
  int decoder_sparse_step = 1;
  std::vector<int> mlp_only_layers;

  // Whether decoder layer `layer` has experts instead of one MLP.
  bool is_sparse(int layer) const;
};

// The vision encoder: gelu_pytorch_tanh in the blocks.
struct VisionConfig {
  int depth = 0;
  int hidden_size = 0;
  int num_heads = 0;  // hidden_size / num_heads is a multiple of 4
  int intermediate_size = 0;
  int in_channels = 0;          // 3
  int patch_size = 0;           // pixels
  int temporal_patch_size = 0;  // frames, 2
  int spatial_merge_size = 0;   // patches per side that become one token
  int out_hidden_size = 0;      // equals TextConfig::hidden_size
  int num_position_embeddings = 0;
  std::vector<int> deepstack_visual_indexes;  // ascending block numbers, possibly none
  double rope_theta = 0;

  int head_dim() const { return hidden_size / num_heads; }
};

// preprocessor_config.json, or the image_processor of processor_config.json.
struct ImageProcessorConfig {
  std::int64_t shortest_edge = 0;  // least number of pixels, h * w
  std::int64_t longest_edge = 0;   // greatest number of pixels
  std::array<float, 3> image_mean{};
  std::array<float, 3> image_std{};
};

// video_preprocessor_config.json, or the video_processor of processor_config.json. Its edges count
// the pixels of the whole clip, T * h * w.
struct VideoProcessorConfig : ImageProcessorConfig {
  double fps = 0;  // frames sampled per second
  int min_frames = 0;
  int max_frames = 0;
};

// generation_config.json; what it leaves out has the values of transformers' GenerationConfig.
struct GenerationConfig {
  bool do_sample = false;
  double temperature = 1.0;
  double top_p = 1.0;
  int top_k = 50;  // 0: off
  double repetition_penalty = 1.0;
};

struct ModelConfig {
  std::string model_type;  // qwen3_vl | qwen3_vl_moe
  std::string name;        // for display: ORG/NAME if known, else the folder's name
  TextConfig text;
  VisionConfig vision;
  ImageProcessorConfig image_processor;
  VideoProcessorConfig video_processor;
  GenerationConfig generation;
  int image_token_id = 0;
  int video_token_id = 0;
  int vision_start_token_id = 0;
  int vision_end_token_id = 0;
  std::vector<int> eos_token_ids;  // at least one
};

// The texts of the files that load_model_config() reads; only config.json must be there.
struct ConfigFiles {
  std::filesystem::path dir;  // for messages and the name
  std::string config;
  std::optional<std::string> generation_config;
  std::optional<std::string> preprocessor_config;
  std::optional<std::string> video_preprocessor_config;
  std::optional<std::string> processor_config;
  std::string config_name = "config.json";  // for messages: what `config` comes from
};

// Checks every value it takes; what would silently give other numbers than the reference
// (quantised weights, other activations or rope types, ...) is refused. Errors: model_invalid.
Result<ModelConfig> parse_model_config(const ConfigFiles& files);

// parse_model_config() on the files of a checkpoint's folder.
Result<ModelConfig> load_model_config(const std::filesystem::path& dir);

}  // namespace tru::weights
