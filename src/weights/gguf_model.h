// A Qwen3-VL model as llama.cpp keeps it: a text file, or its parts, and a vision file ("mmproj"),
// all GGUF.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weights/config.h"
#include "weights/gguf_file.h"

namespace tru::weights {

struct GgufPaths {
  std::filesystem::path text;  // the first of several parts
  std::filesystem::path mmproj;
};

// The two files of the model: of a folder, or a text file and what lies beside it; mmproj, if
// given, is the vision file. Their metadata tell them apart. Errors: model_invalid if one is
// missing, or if there are several, by name; among a hub's vision files the best is taken.
Result<GgufPaths> find_gguf(const std::filesystem::path& model,
                            const std::filesystem::path& mmproj = {});

// Whether this can be a vision file, as far as it tells alone. Errors: model_invalid.
Status check_gguf_vision(const std::filesystem::path& mmproj);

// The tokenizer as the text file has it; the views lie in it.
struct GgufVocabulary {
  std::vector<std::string_view> tokens;  // by id
  std::vector<std::int32_t> types;       // by id: llama.cpp's token types
  std::vector<std::string_view> merges;  // "a b", by rank
  std::string_view pre;                  // name of the split pattern
  std::string_view chat_template;        // Jinja
};

class GgufModel {
 public:
  // Maps all files and checks that they are one Qwen3-VL: metadata, names, types and shapes of
  // all tensors. Errors: model_invalid, one line.
  static Result<GgufModel> open(const GgufPaths& paths);

  // Pixel limits and generation defaults come from the JSON files of a Hugging Face checkpoint
  // beside the text file if they are there, else from the metadata and the published models.
  const ModelConfig& config() const { return config_; }
  const GgufVocabulary& vocabulary() const { return vocabulary_; }
  const std::filesystem::path& text_path() const { return files_[0].path(); }

  // By published name (tensor_list.h) and, but for experts, with its shape. Errors: model_invalid.
  Result<TensorView> tensor(std::string_view name) const;

  // Of an experts' matrix in the published names: the names of what it consists of here, which lie
  // output-major, one below the other.
  static std::vector<std::string> expert_parts(std::string_view name);

  std::span<const MappedFile> files() const { return files_; }

 private:
  GgufModel() = default;

  Status read_vocabulary();
  Status join_patch_embedding();
  Status check_tensors();

  std::vector<MappedFile> files_;    // text, mmproj, other parts of the text
  std::vector<GgufHeader> headers_;  // text with all of its parts, mmproj
  ModelConfig config_;
  GgufVocabulary vocabulary_;
  std::vector<float> patch_embedding_;  // the two frames' kernels in one, which the file has apart
};

}  // namespace tru::weights
