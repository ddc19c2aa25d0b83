#include "weights/config.h"

#include <algorithm>
#include <numeric>

#include "weights/json_fields.h"
#include "weights/model_dir.h"
#include "weights/processor_config.h"

namespace tru::weights {
namespace {

namespace json = boost::json;

// Far above every published size, and small enough that no product of them overflows 64 bits.
constexpr int kMaxWidth = 1 << 17;
constexpr int kMaxLayers = 1 << 10;
constexpr int kMaxHeads = 1 << 10;
constexpr int kMaxVocab = 1 << 24;
constexpr int kMaxPositions = 1 << 30;
constexpr int kMaxExperts = 1 << 12;

// transformers 5 has everything in rope_parameters; 4.57, and so the published files, has
// rope_scaling with rope_theta beside it.
void parse_rope(JsonFields& text, TextConfig& config) {
  JsonFields rope = text.object(text.has("rope_scaling") ? "rope_scaling" : "rope_parameters");
  rope.choice("rope_type", {"default"});
  rope.choice("type", {"default"});
  if (!rope.boolean("mrope_interleaved", true)) {
    rope.fail_key("mrope_interleaved", "is false; allowed: true");
  }
  rope.number("partial_rotary_factor", 1.0, 1.0, 1.0);
  text.number("partial_rotary_factor", 1.0, 1.0, 1.0);
  JsonFields& theta = rope.has("rope_theta") ? rope : text;
  config.rope_theta = theta.number("rope_theta", 1.0, 1e12);
  config.mrope_section = {24, 20, 20};  // default in transformers' Qwen3VLTextRotaryEmbedding
  if (rope.has("mrope_section")) {
    const std::vector<int> section = rope.integers("mrope_section", 3, 0, kMaxHeads);
    if (section.size() != 3) return rope.fail_key("mrope_section", "must have 3 integers");
    std::copy(section.begin(), section.end(), config.mrope_section.begin());
  }
  const int sum = std::accumulate(config.mrope_section.begin(), config.mrope_section.end(), 0);
  if (2 * sum != config.head_dim) {
    rope.fail_key("mrope_section",
                  fmt::format("has sum {}; allowed: half of head_dim {}", sum, config.head_dim));
  }
}

// What the model code does not compute; accepting it would give wrong answers silently.
void refuse_unsupported_text(JsonFields& text) {
  text.choice("hidden_act", {"silu"});
  if (text.boolean("attention_bias", false)) {
    text.fail_key("attention_bias", "is true; allowed: false");
  }
  const bool window = text.has("use_sliding_window") ? text.boolean("use_sliding_window", false)
                                                     : text.has("sliding_window");
  if (window) text.fail_key("sliding_window", "is set; sliding-window attention is not supported");
}

void parse_experts(JsonFields& text, TextConfig& config) {
  // transformers 5 maps num_experts to num_local_experts.
  const char* count = text.has("num_experts") ? "num_experts" : "num_local_experts";
  config.num_experts = text.integer(count, 1, kMaxExperts);
  config.num_experts_per_tok = text.integer("num_experts_per_tok", 1, config.num_experts);
  config.moe_intermediate_size = text.integer("moe_intermediate_size", 1, kMaxWidth);
  config.decoder_sparse_step = text.integer("decoder_sparse_step", 1, kMaxLayers, 1);
  if (text.has("mlp_only_layers")) {
    config.mlp_only_layers =
        text.integers("mlp_only_layers", kMaxLayers, 0, config.num_hidden_layers - 1);
  }
  if (!text.boolean("norm_topk_prob", true)) {
    text.fail_key("norm_topk_prob", "is false; allowed: true");
  }
}

TextConfig parse_text(JsonFields& text, bool is_moe) {
  TextConfig config;
  text.choice("model_type", {is_moe ? "qwen3_vl_moe_text" : "qwen3_vl_text"});
  refuse_unsupported_text(text);
  config.hidden_size = text.integer("hidden_size", 1, kMaxWidth);
  config.num_hidden_layers = text.integer("num_hidden_layers", 1, kMaxLayers);
  const int heads = config.num_attention_heads = text.integer("num_attention_heads", 1, kMaxHeads);
  config.num_key_value_heads = text.integer("num_key_value_heads", 1, kMaxHeads, heads);
  if (heads % config.num_key_value_heads != 0) {
    text.fail_key("num_key_value_heads", fmt::format("is {}; allowed: a divisor of {} heads",
                                                     config.num_key_value_heads, heads));
  }
  // Absent: 128 in Qwen3VLTextConfig, a quotient in Qwen3VLMoeTextConfig.
  config.head_dim =
      text.integer("head_dim", 2, kMaxHeads, is_moe ? config.hidden_size / heads : 128);
  config.intermediate_size = text.integer("intermediate_size", 1, kMaxWidth);
  config.vocab_size = text.integer("vocab_size", 2, kMaxVocab);
  config.max_position_embeddings =
      text.integer("max_position_embeddings", 1, kMaxPositions, 128000);
  config.rms_norm_eps = text.number("rms_norm_eps", 1e-12, 0.1, 1e-6);
  parse_rope(text, config);
  if (is_moe) parse_experts(text, config);
  return config;
}

void parse_deepstack(JsonFields& vision, int depth, int num_hidden_layers,
                     std::vector<int>& indexes) {
  constexpr std::string_view kKey = "deepstack_visual_indexes";
  indexes = vision.integers(kKey, kMaxLayers, 0, depth - 1);
  if (std::adjacent_find(indexes.begin(), indexes.end(), std::greater_equal<>()) != indexes.end()) {
    vision.fail_key(kKey, "is not ascending");
  }
  if (static_cast<int>(indexes.size()) > num_hidden_layers) {
    vision.fail_key(kKey, fmt::format("has {} entries; allowed: at most num_hidden_layers, {}",
                                      indexes.size(), num_hidden_layers));
  }
}

VisionConfig parse_vision(JsonFields& vision, const TextConfig& text) {
  VisionConfig config;
  vision.choice("model_type",
                {"qwen3_vl", "qwen3_vl_vision", "qwen3_vl_moe", "qwen3_vl_moe_vision"});
  vision.choice("hidden_act", {"gelu_pytorch_tanh"});
  config.depth = vision.integer("depth", 1, kMaxLayers);
  config.hidden_size = vision.integer("hidden_size", 4, kMaxWidth);
  config.num_heads = vision.integer("num_heads", 1, kMaxHeads);
  if (config.hidden_size % (4 * config.num_heads) != 0) {
    vision.fail_key("hidden_size", fmt::format("is {}; allowed: a multiple of 4 * {} heads",
                                               config.hidden_size, config.num_heads));
  }
  config.intermediate_size = vision.integer("intermediate_size", 1, kMaxWidth);
  config.in_channels = vision.integer("in_channels", 3, 3, 3);
  config.patch_size = vision.integer("patch_size", 1, 256, 16);
  config.temporal_patch_size = vision.integer("temporal_patch_size", 2, 2, 2);
  config.spatial_merge_size = vision.integer("spatial_merge_size", 1, 8, 2);
  config.out_hidden_size = vision.integer("out_hidden_size", text.hidden_size, text.hidden_size);
  config.num_position_embeddings =
      vision.integer("num_position_embeddings", 1, kMaxWidth * 8, 2304);
  parse_deepstack(vision, config.depth, text.num_hidden_layers, config.deepstack_visual_indexes);
  JsonFields rope = vision.object("rope_parameters");
  rope.choice("rope_type", {"axial", "default"});
  JsonFields& theta = rope.has("rope_theta") ? rope : vision;
  config.rope_theta = theta.number("rope_theta", 1.0, 1e12, 10000.0);
  return config;
}

void parse_token_ids(JsonFields& outer, ModelConfig& config) {
  const int last = config.text.vocab_size - 1;
  config.image_token_id = outer.integer("image_token_id", 0, last);
  config.video_token_id = outer.integer("video_token_id", 0, last);
  config.vision_start_token_id = outer.integer("vision_start_token_id", 0, last);
  config.vision_end_token_id = outer.integer("vision_end_token_id", 0, last);
  if (config.image_token_id == config.video_token_id) {
    outer.fail_key("video_token_id", "equals image_token_id");
  }
}

std::string display_name(JsonFields& outer, const std::filesystem::path& dir) {
  if (const std::string id = hub_id_of_snapshot(dir); !id.empty()) return id;
  const std::string name = outer.text("_name_or_path", "");
  if (is_hub_id(name)) return name;
  std::error_code ec;
  const std::filesystem::path full = std::filesystem::absolute(dir, ec).lexically_normal() / "";
  return full.parent_path().filename().string();
}

}  // namespace

bool TextConfig::is_sparse(int layer) const {
  return num_experts > 0 && (layer + 1) % decoder_sparse_step == 0 &&
         std::find(mlp_only_layers.begin(), mlp_only_layers.end(), layer) == mlp_only_layers.end();
}

Result<ModelConfig> parse_model_config(const ConfigFiles& files) {
  const std::string path = (files.dir / files.config_name).string();
  TRU_TRY(const json::object object, parse_json_object(files.config, path));
  Status status;
  JsonFields outer(&object, path + ": ", status);
  ModelConfig config;
  config.model_type = outer.text("model_type", "");
  if (config.model_type != "qwen3_vl" && config.model_type != "qwen3_vl_moe") {
    return fail(ErrorCode::model_invalid,
                "{}: model_type is \"{}\"; allowed: qwen3_vl, qwen3_vl_moe", path,
                config.model_type);
  }
  JsonFields text = outer.required_object("text_config");
  JsonFields vision = outer.required_object("vision_config");
  TRU_CHECK(status);
  for (JsonFields* fields : {&outer, &text}) {
    if (fields->has("quantization_config")) {
      fields->fail_key("quantization_config",
                       "is present; quantised checkpoints are not supported, use the original "
                       "F32, F16 or BF16 one");
    }
  }
  config.text = parse_text(text, config.model_type == "qwen3_vl_moe");
  config.vision = parse_vision(vision, config.text);
  // transformers 5 reads the outer one only, 4.57 the inner one only; the published files agree.
  JsonFields& tie = outer.has("tie_word_embeddings") ? outer : text;
  config.text.tie_word_embeddings = tie.boolean("tie_word_embeddings", false);
  parse_token_ids(outer, config);
  config.name = display_name(outer, files.dir);
  TRU_CHECK(status);

  TRU_CHECK(parse_processors(files, config));
  TRU_CHECK(parse_generation(files, config));
  if (config.eos_token_ids.empty()) {
    JsonFields& eos = text.has("eos_token_id") ? text : outer;
    config.eos_token_ids = eos.integers("eos_token_id", 64, 0, config.text.vocab_size - 1);
    if (config.eos_token_ids.empty()) eos.fail_key("eos_token_id", "is empty");
  }
  TRU_CHECK(status);
  return config;
}

Result<ModelConfig> load_model_config(const std::filesystem::path& dir) {
  constexpr std::uintmax_t kMaxBytes = 1 << 20;
  ConfigFiles files;
  files.dir = dir;
  TRU_TRY(files.config, read_text_file(dir / "config.json", kMaxBytes));
  const std::pair<const char*, std::optional<std::string>*> optional_files[] = {
      {"generation_config.json", &files.generation_config},
      {"preprocessor_config.json", &files.preprocessor_config},
      {"video_preprocessor_config.json", &files.video_preprocessor_config},
      {"processor_config.json", &files.processor_config}};
  for (const auto& [name, text] : optional_files) {
    std::error_code ec;
    if (!std::filesystem::exists(dir / name, ec)) continue;
    TRU_TRY(*text, read_text_file(dir / name, kMaxBytes));
  }
  return parse_model_config(files);
}

}  // namespace tru::weights
