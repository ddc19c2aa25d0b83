// Makes GGUF files for tests, out of checkpoints in Hugging Face's layout.
#pragma once

#include <boost/json.hpp>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "weights/checkpoint.h"
#include "weights/convert.h"
#include "weights/gguf_names.h"
#include "weights/tensor_list.h"
#include "weights/test_files.h"

namespace tru::weights {

// The parts of a file, to be changed before it is written.
struct GgufParts {
  struct Tensor {
    std::vector<std::int64_t> shape;  // row-major
    std::uint32_t type = 0;           // a ggml_type
    std::string data;
  };

  std::string magic = "GGUF";
  std::uint32_t version = 3;
  std::map<std::string, std::string> values;  // type and value as they lie in the file
  std::map<std::string, Tensor> tensors;

  template <typename T>
  static std::string raw(T value) {
    std::string bytes(sizeof(value), '\0');
    std::memcpy(bytes.data(), &value, sizeof(value));
    return bytes;
  }
  static std::string raw_text(std::string_view text) {
    return raw(std::uint64_t{text.size()}).append(text);
  }

  void set(const std::string& key, std::uint32_t value) { put(key, GgufValue::u32, raw(value)); }
  void set(const std::string& key, int value) { set(key, static_cast<std::uint32_t>(value)); }
  void set(const std::string& key, float value) { put(key, GgufValue::f32, raw(value)); }
  void set(const std::string& key, bool value) {
    put(key, GgufValue::boolean, std::string(1, value ? '\1' : '\0'));
  }
  void set(const std::string& key, std::string_view text) {
    put(key, GgufValue::string, raw_text(text));
  }
  void set(const std::string& key, const char* text) { set(key, std::string_view(text)); }
  void put(const std::string& key, std::uint32_t type, const std::string& value) {
    values[key] = raw(type) + value;
  }
  void put_list(const std::string& key, std::uint32_t type, std::uint64_t count,
                const std::string& elements) {
    put(key, GgufValue::array, raw(type) + raw(count) + elements);
  }

  // Data in the order of names, each at a multiple of 32 bytes.
  std::string bytes() const {
    std::string head = magic + raw(version) + raw(std::uint64_t{tensors.size()}) +
                       raw(std::uint64_t{values.size()});
    for (const auto& [key, value] : values) head += raw_text(key) + value;
    std::string data;
    for (const auto& [name, tensor] : tensors) {
      head += raw_text(name) + raw(static_cast<std::uint32_t>(tensor.shape.size()));
      for (auto at = tensor.shape.rbegin(); at != tensor.shape.rend(); ++at) head += raw(*at);
      head += raw(tensor.type) + raw(std::uint64_t{data.size()});
      data += tensor.data;
      data.resize((data.size() + 31) / 32 * 32);
    }
    head.resize((head.size() + 31) / 32 * 32);
    return head + data;
  }
};

// Both files of a model.
struct GgufPair {
  GgufParts text, mmproj;

  std::filesystem::path write(const std::filesystem::path& dir) const {
    write_file(dir / "mmproj-model.gguf", mmproj.bytes());
    write_file(dir / "model.gguf", text.bytes());
    return dir / "model.gguf";
  }

  // The text as llama-gguf-split divides it: the first part alone has the metadata, every one has
  // its number and their count.
  std::vector<GgufParts> split(std::uint16_t count) const {
    std::vector<GgufParts> parts(count);
    parts[0].values = text.values;
    for (std::uint16_t i = 0; i < count; ++i) {
      parts[i].put("split.no", GgufValue::u16, GgufParts::raw(i));
      parts[i].put("split.count", GgufValue::u16, GgufParts::raw(count));
      parts[i].put("split.tensors.count", GgufValue::i32,
                   GgufParts::raw(static_cast<std::int32_t>(text.tensors.size())));
    }
    std::size_t next = 0;
    for (const auto& [name, tensor] : text.tensors) {
      parts[next++ % count].tensors[name] = tensor;
    }
    return parts;
  }
};

// Writes the parts and the vision file; the path of the first part.
inline std::filesystem::path write_parts(const std::vector<GgufParts>& parts,
                                         const GgufParts& mmproj,
                                         const std::filesystem::path& dir) {
  write_file(dir / "mmproj-model.gguf", mmproj.bytes());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    write_file(dir / fmt::format("model-{:05}-of-{:05}.gguf", i + 1, parts.size()),
               parts[i].bytes());
  }
  return dir / fmt::format("model-00001-of-{:05}.gguf", parts.size());
}

namespace gguf_making {

// Numbers as `dtype`, or as F32 where rows are no whole blocks.
inline GgufParts::Tensor encode(std::span<const float> values, std::vector<std::int64_t> shape,
                                Dtype dtype) {
  const std::int64_t columns = shape.back();
  if (columns % block_elements(dtype) != 0 || shape.size() == 1) dtype = Dtype::f32;
  const auto rows = static_cast<std::int64_t>(values.size()) / columns;
  GgufParts::Tensor tensor{std::move(shape), static_cast<std::uint32_t>(to_ggml(dtype)), {}};
  tensor.data.resize(size_bytes(dtype, columns) * static_cast<std::size_t>(rows));
  ggml_quantize_chunk(to_ggml(dtype), values.data(), tensor.data.data(), 0, rows, columns, nullptr);
  return tensor;
}

// Rows and columns of each matrix swapped, of rows [first, last) of the result.
inline std::vector<float> transpose(const std::vector<float>& from, std::int64_t matrices,
                                    std::int64_t rows, std::int64_t columns, std::int64_t first,
                                    std::int64_t last) {
  std::vector<float> to;
  for (std::int64_t m = 0; m < matrices; ++m) {
    for (std::int64_t column = first; column < last; ++column) {
      for (std::int64_t row = 0; row < rows; ++row) {
        to.push_back(from[static_cast<std::size_t>((m * rows + row) * columns + column)]);
      }
    }
  }
  return to;
}

inline void add_tokenizer(const std::filesystem::path& dir, std::int64_t vocab_size,
                          GgufParts& text) {
  namespace json = boost::json;
  const json::value file = json::parse(read_file(dir / "tokenizer.json"));
  const auto rows = static_cast<std::size_t>(vocab_size);
  std::vector<std::string> tokens(rows);
  std::vector<std::int32_t> types(rows, 5);
  for (const auto& [token, id] : file.at("model").at("vocab").as_object()) {
    tokens[static_cast<std::size_t>(id.as_int64())] = token;
    types[static_cast<std::size_t>(id.as_int64())] = 1;
  }
  for (const json::value& token : file.at("added_tokens").as_array()) {
    const auto id = static_cast<std::size_t>(token.at("id").as_int64());
    tokens[id] = token.at("content").as_string();
    types[id] = token.at("special").as_bool() ? 3 : 4;
  }
  std::string token_bytes, type_bytes, merge_bytes;
  for (std::size_t id = 0; id < rows; ++id) {
    token_bytes += GgufParts::raw_text(types[id] == 5 ? fmt::format("[PAD{}]", id) : tokens[id]);
    type_bytes += GgufParts::raw(types[id]);
  }
  const json::array& merges = file.at("model").at("merges").as_array();
  for (const json::value& merge : merges) {
    const std::string pair = merge.is_string() ? std::string(merge.as_string())
                                               : std::string(merge.at(0).as_string()) + " " +
                                                     std::string(merge.at(1).as_string());
    merge_bytes += GgufParts::raw_text(pair);
  }
  text.set("tokenizer.ggml.model", "gpt2");
  text.set("tokenizer.ggml.pre", "qwen2");
  text.put_list("tokenizer.ggml.tokens", GgufValue::string, rows, token_bytes);
  text.put_list("tokenizer.ggml.token_type", GgufValue::i32, rows, type_bytes);
  text.put_list("tokenizer.ggml.merges", GgufValue::string, merges.size(), merge_bytes);
  text.set("tokenizer.chat_template", read_file(dir / "chat_template.jinja"));
}

inline void add_text_metadata(const ModelConfig& config, GgufParts& text) {
  const TextConfig& c = config.text;
  const std::string arch = c.num_experts > 0 ? "qwen3vlmoe" : "qwen3vl";
  text.set("general.architecture", arch);
  text.set(arch + ".block_count", c.num_hidden_layers);
  text.set(arch + ".context_length", c.max_position_embeddings);
  text.set(arch + ".embedding_length", c.hidden_size);
  text.set(arch + ".feed_forward_length", c.intermediate_size);
  text.set(arch + ".attention.head_count", c.num_attention_heads);
  text.set(arch + ".attention.head_count_kv", c.num_key_value_heads);
  text.set(arch + ".attention.key_length", c.head_dim);
  text.set(arch + ".attention.value_length", c.head_dim);
  text.set(arch + ".attention.layer_norm_rms_epsilon", static_cast<float>(c.rms_norm_eps));
  text.set(arch + ".rope.freq_base", static_cast<float>(c.rope_theta));
  std::string sections;
  for (const int section : c.mrope_section) sections += GgufParts::raw(section);
  text.put_list(arch + ".rope.dimension_sections", GgufValue::i32, 4, sections + GgufParts::raw(0));
  text.set(arch + ".n_deepstack_layers",
           static_cast<int>(config.vision.deepstack_visual_indexes.size()));
  text.set("tokenizer.ggml.eos_token_id", config.eos_token_ids.front());
  if (c.num_experts == 0) return;
  text.set(arch + ".expert_count", c.num_experts);
  text.set(arch + ".expert_used_count", c.num_experts_per_tok);
  text.set(arch + ".expert_feed_forward_length", c.moe_intermediate_size);
}

inline void add_vision_metadata(const VisionConfig& vision, GgufParts& mmproj) {
  mmproj.set("general.architecture", "clip");
  mmproj.set("clip.projector_type", "qwen3vl_merger");
  mmproj.set("clip.has_vision_encoder", true);
  mmproj.set("clip.vision.block_count", vision.depth);
  mmproj.set("clip.vision.embedding_length", vision.hidden_size);
  mmproj.set("clip.vision.attention.head_count", vision.num_heads);
  mmproj.set("clip.vision.feed_forward_length", vision.intermediate_size);
  mmproj.set("clip.vision.patch_size", vision.patch_size);
  mmproj.set("clip.vision.projection_dim", vision.out_hidden_size);
  mmproj.set("clip.vision.spatial_merge_size", vision.spatial_merge_size);
  std::string taps(static_cast<std::size_t>(vision.depth), '\0');
  for (const int index : vision.deepstack_visual_indexes) taps[static_cast<std::size_t>(index)] = 1;
  mmproj.put_list("clip.vision.is_deepstack_layers", GgufValue::boolean, taps.size(), taps);
}

inline void add_tensor(const Checkpoint& from, const TensorSpec& spec, Dtype dtype, GgufPair& to) {
  const VisionConfig& vision = from.config().vision;
  const std::vector<float> values = to_f32(from.tensor(spec.name).value());
  const GgufName stored = gguf_name(spec.name, vision);
  GgufParts& file = stored.is_vision ? to.mmproj : to.text;
  const std::vector<std::string> parts = GgufModel::expert_parts(spec.name);
  if (spec.shape.size() == 5) {  // the patch embedding: two frames' kernels
    const std::vector<std::int64_t> shape = {spec.shape[0], spec.shape[1], spec.shape[3],
                                             spec.shape[4]};
    const auto area = static_cast<std::size_t>(spec.shape[3] * spec.shape[4]);
    for (std::size_t frame = 0; frame < 2; ++frame) {
      std::vector<float> kernel;
      for (std::size_t at = frame * area; at < values.size(); at += 2 * area) {
        kernel.insert(kernel.end(), &values[at], &values[at] + area);
      }
      file.tensors[stored.name + (frame == 0 ? "" : ".1")] = encode(kernel, shape, Dtype::f32);
    }
  } else if (!parts.empty()) {
    const auto n = static_cast<std::int64_t>(parts.size());
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t rows = spec.shape[2] / n;
      const auto part =
          transpose(values, spec.shape[0], spec.shape[1], spec.shape[2], i * rows, (i + 1) * rows);
      file.tensors[gguf_name(parts[static_cast<std::size_t>(i)], vision).name] =
          encode(part, {spec.shape[0], rows, spec.shape[1]}, dtype);
    }
  } else {
    file.tensors[stored.name] = encode(values, spec.shape, dtype);
  }
}

}  // namespace gguf_making

// The checkpoint in `dir` as GGUF; matrices in the types that dtype_of gives, by published name,
// where their rows are whole blocks.
inline GgufPair make_gguf(const std::filesystem::path& dir,
                          const std::function<Dtype(const std::string&)>& dtype_of) {
  const Checkpoint from = Checkpoint::open(dir.string()).value();
  GgufPair pair;
  gguf_making::add_text_metadata(from.config(), pair.text);
  gguf_making::add_vision_metadata(from.config().vision, pair.mmproj);
  gguf_making::add_tokenizer(dir, from.config().text.vocab_size, pair.text);
  for (const TensorSpec& spec : expected_tensors(from.config())) {
    gguf_making::add_tensor(from, spec, dtype_of(spec.name), pair);
  }
  return pair;
}

inline GgufPair make_gguf(const std::filesystem::path& dir, Dtype dtype = Dtype::f32) {
  return make_gguf(dir, [&](const std::string&) { return dtype; });
}

}  // namespace tru::weights
