// A Qwen3-VL model on disk: its configuration and its weights.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weights/config.h"
#include "weights/gguf_model.h"
#include "weights/model_dir.h"
#include "weights/safetensors.h"

namespace tru::weights {

class Checkpoint {
 public:
  // model: a folder in the layout of the Hugging Face hub, ORG/NAME of a model pulled into
  // hub_cache (resolve_model_dir), a folder with GGUF files or the text file of those
  // (gguf_model.h). Weights are mapped, not read; every tensor that the configuration asks for is
  // there with its shape and a Dtype. mmproj: the vision file of a GGUF model, if it is not the
  // only one beside the text file. Errors: model_invalid, one line.
  static Result<Checkpoint> open(std::string_view model,
                                 const std::filesystem::path& hub_cache = {},
                                 const std::filesystem::path& mmproj = {});

  const ModelConfig& config() const { return config_; }
  const std::filesystem::path& dir() const { return dir_; }
  // Where the model comes from GGUF files, else null.
  const GgufModel* gguf() const { return gguf_ ? &*gguf_ : nullptr; }

  // By published name (tensor_list.h), whatever the spelling in the files; the view's name is the
  // published one. Valid as long as this lives. Errors: model_invalid if it is not there or has a
  // dtype that is not a Dtype; neither can happen for expected_tensors(config()).
  Result<TensorView> tensor(std::string_view name) const;
  // Also an error: another shape.
  Result<TensorView> tensor(std::string_view name,
                            const std::vector<std::int64_t>& expected_shape) const;

  // The number format of a tensor, by its published name; nothing if there is no such tensor.
  std::optional<Dtype> dtype(std::string_view name) const;

  // The mappings that hold the data of all views (TensorView::file is the index): to back device
  // tensors without a copy.
  std::span<const MappedFile> files() const { return gguf_ ? gguf_->files() : weights_.files(); }

  // Of a matrix of experts: the names of the tensors that it consists of, if they lie output-major,
  // one below the other, as in GGUF files. Empty: it lies as tensor_list.h says.
  std::vector<std::string> expert_parts(std::string_view name) const;

 private:
  Checkpoint(std::filesystem::path dir, ModelConfig config, Safetensors weights)
      : dir_(std::move(dir)), config_(std::move(config)), weights_(std::move(weights)) {}

  explicit Checkpoint(GgufModel gguf)
      : dir_(gguf.text_path().parent_path()), config_(gguf.config()), gguf_(std::move(gguf)) {}

  Status index_names();
  Status check_tensors();
  Status settle_tied_embeddings();

  std::filesystem::path dir_;
  ModelConfig config_;
  Safetensors weights_;
  std::optional<GgufModel> gguf_;                                 // instead of weights_
  std::map<std::string, std::string, std::less<>> stored_names_;  // published -> in the file
};

}  // namespace tru::weights
