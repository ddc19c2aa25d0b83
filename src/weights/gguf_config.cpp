#include "weights/gguf_config.h"

#include <algorithm>
#include <boost/json.hpp>

#include "weights/json_fields.h"
#include "weights/model_dir.h"

namespace tru::weights {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

// preprocessor_config.json, video_preprocessor_config.json and generation_config.json of the
// published Qwen3-VL Instruct models, where GGUF files say nothing.
constexpr std::int64_t kImagePixels[] = {65536, 16777216};
constexpr std::int64_t kVideoPixels[] = {4096, 25165824};
constexpr double kTemperature = 0.7, kTopP = 0.8;
constexpr int kTopK = 20;

// One field of config.json and where it stands in the metadata.
struct Field {
  std::string_view json_key, gguf_key;
  bool is_required = true;
};

template <typename... Args>
auto bad(const GgufHeader& header, fmt::format_string<Args...> format, Args&&... args) {
  return fail(ErrorCode::model_invalid, "{}: {}", header.file(),
              fmt::format(format, std::forward<Args>(args)...));
}

Status copy_fields(const GgufHeader& header, std::string_view prefix, std::span<const Field> fields,
                   json::object& out) {
  for (const Field& field : fields) {
    const std::string key = fmt::format("{}.{}", prefix, field.gguf_key);
    json::value value = header.json(key);
    if (!value.is_null()) {
      out[field.json_key] = std::move(value);
    } else if (field.is_required) {
      return bad(header, "{} is missing", key);
    }
  }
  return {};
}

// The rows of a table in the file.
Result<std::int64_t> num_rows(const GgufHeader& header, std::string_view name) {
  TRU_TRY(const TensorView view, header.tensor(name));
  return view.shape.front();
}

Status copy_rope(const GgufHeader& text, const std::string& arch, json::object& out) {
  const std::string key = arch + ".rope.dimension_sections";
  const json::value value = text.json(key);
  const json::array* sections = value.if_array();
  if (sections == nullptr || sections->size() < 3) return bad(text, "{} must be 4 numbers", key);
  for (std::size_t i = 3; i < sections->size(); ++i) {
    if ((*sections)[i] != 0) return bad(text, "{} is {}; the 4th must be 0", key, describe(value));
  }
  const std::string_view scaling = text.text(arch + ".rope.scaling.type");
  out["rope_scaling"] = json::object{
      {"rope_type", scaling.empty() || scaling == "none" ? "default" : json::string(scaling)},
      {"mrope_interleaved", true},
      {"mrope_section", json::array{(*sections)[0], (*sections)[1], (*sections)[2]}}};
  return {};
}

// Values that the metadata repeat or that turn on what TRU does not compute.
Status check_text(const GgufHeader& text, const std::string& arch, const json::object& config) {
  const json::value& head_dim = config.at("head_dim");
  for (const char* name : {".attention.value_length", ".rope.dimension_count"}) {
    const json::value value = text.json(arch + name);
    if (!value.is_null() && value != head_dim) {
      return bad(text, "{}{} is {}; allowed: {}, attention.key_length", arch, name, describe(value),
                 describe(head_dim));
    }
  }
  const json::value shared = text.json(arch + ".expert_shared_count");
  if (!shared.is_null() && shared != 0) {
    return bad(text, "{}.expert_shared_count is {}; allowed: 0", arch, describe(shared));
  }
  return {};
}

Result<json::object> text_config(const GgufHeader& text) {
  constexpr Field kFields[] = {
      {"hidden_size", "embedding_length"},
      {"num_hidden_layers", "block_count"},
      {"num_attention_heads", "attention.head_count"},
      {"num_key_value_heads", "attention.head_count_kv", false},
      {"head_dim", "attention.key_length"},
      {"intermediate_size", "feed_forward_length"},
      {"max_position_embeddings", "context_length"},
      {"rms_norm_eps", "attention.layer_norm_rms_epsilon"},
      {"rope_theta", "rope.freq_base"},
      {"sliding_window", "attention.sliding_window", false},
  };
  constexpr Field kMoeFields[] = {
      {"num_experts", "expert_count"},
      {"num_experts_per_tok", "expert_used_count"},
      {"moe_intermediate_size", "expert_feed_forward_length"},
  };
  const std::string arch(gguf_architecture(text));
  const bool is_moe = arch == "qwen3vlmoe";
  json::object config;
  config["model_type"] = is_moe ? "qwen3_vl_moe_text" : "qwen3_vl_text";
  TRU_CHECK(copy_fields(text, arch, kFields, config));
  if (is_moe) TRU_CHECK(copy_fields(text, arch, kMoeFields, config));
  TRU_TRY(config["vocab_size"], num_rows(text, "token_embd.weight"));
  TRU_CHECK(copy_rope(text, arch, config));
  TRU_CHECK(check_text(text, arch, config));
  return config;
}

// The numbers of the blocks that are tapped; the metadata have a truth value for each block.
Result<json::array> deepstack_indexes(const GgufHeader& mmproj) {
  constexpr std::string_view kKey = "clip.vision.is_deepstack_layers";
  json::array indexes;
  const json::value value = mmproj.json(kKey);
  if (value.is_null()) return indexes;
  const json::array* layers = value.if_array();
  if (layers == nullptr) return bad(mmproj, "{} must be a list", kKey);
  for (std::size_t i = 0; i < layers->size(); ++i) {
    const bool* is_tapped = (*layers)[i].if_bool();
    if (is_tapped == nullptr) return bad(mmproj, "{} must be a list of bool", kKey);
    if (*is_tapped) indexes.push_back(json::value(i));
  }
  return indexes;
}

Result<json::object> vision_config(const GgufHeader& mmproj) {
  constexpr Field kFields[] = {
      {"depth", "block_count"},
      {"hidden_size", "embedding_length"},
      {"num_heads", "attention.head_count"},
      {"intermediate_size", "feed_forward_length"},
      {"patch_size", "patch_size"},
      {"out_hidden_size", "projection_dim"},
      {"spatial_merge_size", "spatial_merge_size", false},
  };
  std::string_view projector = mmproj.text("clip.projector_type");
  if (projector.empty()) projector = mmproj.text("clip.vision.projector_type");
  if (projector != "qwen3vl_merger") {
    return bad(mmproj, "clip.projector_type is {}; allowed: qwen3vl_merger", in_quotes(projector));
  }
  json::object config;
  config["model_type"] = "qwen3_vl";
  config["hidden_act"] = "gelu_pytorch_tanh";
  config["in_channels"] = 3;
  TRU_CHECK(copy_fields(mmproj, "clip.vision", kFields, config));
  TRU_TRY(config["num_position_embeddings"], num_rows(mmproj, "v.position_embd.weight"));
  TRU_TRY(config["deepstack_visual_indexes"], deepstack_indexes(mmproj));
  return config;
}

// The files come from people's download folders: both must be of one model.
Status check_pair(const GgufHeader& text, const json::object& text_config, const GgufHeader& mmproj,
                  const json::object& vision_config) {
  if (text_config.at("hidden_size") != vision_config.at("out_hidden_size")) {
    return bad(mmproj, "makes features of width {}, but {} has {}: they are of different models",
               describe(vision_config.at("out_hidden_size")), text.file(),
               describe(text_config.at("hidden_size")));
  }
  const json::value taps = text.json(std::string(gguf_architecture(text)) + ".n_deepstack_layers");
  const std::size_t in_mmproj = vision_config.at("deepstack_visual_indexes").as_array().size();
  if (!taps.is_null() && taps != in_mmproj) {
    return bad(mmproj, "has {} deepstack taps, but {} has {}: they are of different models",
               in_mmproj, text.file(), describe(taps));
  }
  return {};
}

class TokenIds {
 public:
  explicit TokenIds(std::span<const std::string_view> tokens) : tokens_(tokens) {}

  // -1: no such token.
  std::int64_t find(std::string_view token) const {
    const auto at = std::find(tokens_.begin(), tokens_.end(), token);
    return at == tokens_.end() ? -1 : at - tokens_.begin();
  }

 private:
  std::span<const std::string_view> tokens_;
};

// Metadata name the end of an answer, but no other special token; those are known by their texts.
Status add_token_ids(const GgufHeader& text, json::object& config) {
  TRU_TRY(const auto tokens, text.texts("tokenizer.ggml.tokens"));
  const TokenIds ids(tokens);
  constexpr std::pair<const char*, const char*> kTokens[] = {
      {"image_token_id", "<|image_pad|>"},
      {"video_token_id", "<|video_pad|>"},
      {"vision_start_token_id", "<|vision_start|>"},
      {"vision_end_token_id", "<|vision_end|>"}};
  for (const auto& [key, token] : kTokens) {
    const std::int64_t id = ids.find(token);
    if (id < 0) return bad(text, "tokenizer.ggml.tokens has no {}", token);
    config[key] = id;
  }
  json::array ends;
  const auto add = [&](json::value id) {
    if (std::find(ends.begin(), ends.end(), id) == ends.end()) ends.push_back(std::move(id));
  };
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"}) {
    if (json::value id = text.json(key); !id.is_null()) add(std::move(id));
  }
  for (const char* token : {"<|im_end|>", "<|endoftext|>"}) {
    if (const std::int64_t id = ids.find(token); id >= 0) add(id);
  }
  config["eos_token_id"] = std::move(ends);
  return {};
}

std::string processor_text(const GgufHeader& mmproj, const std::int64_t (&pixels)[2],
                           bool is_image) {
  json::object processor;
  json::object size{{"shortest_edge", pixels[0]}, {"longest_edge", pixels[1]}};
  if (is_image) {
    for (const auto& [key, from] : {std::pair("shortest_edge", "clip.vision.image_min_pixels"),
                                    std::pair("longest_edge", "clip.vision.image_max_pixels")}) {
      if (json::value value = mmproj.json(from); !value.is_null()) size[key] = std::move(value);
    }
  }
  processor["size"] = std::move(size);
  for (const char* key : {"image_mean", "image_std"}) {
    json::value value = mmproj.json(fmt::format("clip.vision.{}", key));
    processor[key] = value.is_null() ? json::array{0.5, 0.5, 0.5} : std::move(value);
  }
  return json::serialize(processor);
}

std::string generation_text(const GgufHeader& text) {
  json::object generation{
      {"do_sample", true}, {"temperature", kTemperature}, {"top_p", kTopP}, {"top_k", kTopK}};
  constexpr std::pair<const char*, const char*> kKeys[] = {
      {"temperature", "temp"},
      {"top_p", "top_p"},
      {"top_k", "top_k"},
      {"repetition_penalty", "penalty_repeat"}};
  for (const auto& [key, from] : kKeys) {
    json::value value = text.json(fmt::format("general.sampling.{}", from));
    if (!value.is_null()) generation[key] = std::move(value);
  }
  return json::serialize(generation);
}

// The file's text if it is there.
Status read_beside(const fs::path& path, std::optional<std::string>& out) {
  std::error_code ec;
  if (!fs::exists(path, ec)) return {};
  TRU_TRY(out, read_text_file(path, 1 << 20));
  return {};
}

Status read_other_files(const GgufHeader& text, const GgufHeader& mmproj, ConfigFiles& files) {
  TRU_CHECK(read_beside(files.dir / "generation_config.json", files.generation_config));
  TRU_CHECK(read_beside(files.dir / "preprocessor_config.json", files.preprocessor_config));
  TRU_CHECK(
      read_beside(files.dir / "video_preprocessor_config.json", files.video_preprocessor_config));
  TRU_CHECK(read_beside(files.dir / "processor_config.json", files.processor_config));
  if (!files.generation_config) files.generation_config = generation_text(text);
  if (!files.preprocessor_config) {
    files.preprocessor_config = processor_text(mmproj, kImagePixels, true);
  }
  if (!files.video_preprocessor_config) {
    files.video_preprocessor_config = processor_text(mmproj, kVideoPixels, false);
  }
  return {};
}

}  // namespace

Status check_vision_config(const GgufHeader& mmproj) {
  return vision_config(mmproj).map([](const auto&) {});
}

std::string_view gguf_architecture(const GgufHeader& header) {
  return header.text("general.architecture");
}

Result<ModelConfig> parse_gguf_config(const GgufHeader& text, const GgufHeader& mmproj,
                                      const fs::path& text_path) {
  TRU_TRY(json::object text_part, text_config(text));
  TRU_TRY(json::object vision_part, vision_config(mmproj));
  TRU_CHECK(check_pair(text, text_part, mmproj, vision_part));
  json::object config;
  config["model_type"] = gguf_architecture(text) == "qwen3vlmoe" ? "qwen3_vl_moe" : "qwen3_vl";
  TRU_CHECK(add_token_ids(text, config));
  config["tie_word_embeddings"] = !text.has_tensor("output.weight");
  config["text_config"] = std::move(text_part);
  config["vision_config"] = std::move(vision_part);
  ConfigFiles files;
  files.dir = gguf_model_dir(text_path);
  files.config_name = text_path.filename().string();
  files.config = json::serialize(config);
  TRU_CHECK(read_other_files(text, mmproj, files));
  TRU_TRY(ModelConfig result, parse_model_config(files));
  result.name = hub_id_of_snapshot(files.dir);
  if (result.name.empty()) result.name = text_path.stem().string();
  return result;
}

}  // namespace tru::weights
