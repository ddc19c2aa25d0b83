#include "weights/checkpoint.h"

#include <algorithm>

#include "weights/json_fields.h"
#include "weights/tensor_list.h"

namespace tru::weights {

Result<Checkpoint> Checkpoint::open(std::string_view model, const std::filesystem::path& hub_cache,
                                    const std::filesystem::path& mmproj) {
  TRU_TRY(std::filesystem::path dir, resolve_model_dir(model, hub_cache));
  if (is_gguf(dir)) {
    TRU_TRY(const GgufPaths paths, find_gguf(dir, mmproj));
    TRU_TRY(GgufModel gguf, GgufModel::open(paths));
    return Checkpoint(std::move(gguf));
  }
  if (!mmproj.empty()) {
    return fail(ErrorCode::model_invalid,
                "{}: not a GGUF model; an mmproj file ({}) goes with those only", dir.string(),
                mmproj.string());
  }
  TRU_CHECK(check_model_dir(dir));
  TRU_TRY(ModelConfig config, load_model_config(dir));
  TRU_TRY(Safetensors weights, Safetensors::open(dir));
  Checkpoint checkpoint(std::move(dir), std::move(config), std::move(weights));
  TRU_CHECK(checkpoint.index_names());
  TRU_CHECK(checkpoint.settle_tied_embeddings());
  TRU_CHECK(checkpoint.check_tensors());
  return checkpoint;
}

Status Checkpoint::index_names() {
  for (const std::string& stored : weights_.names()) {
    const auto [at, is_new] = stored_names_.try_emplace(published_name(stored), stored);
    if (!is_new) {
      return fail(ErrorCode::model_invalid, "{}: {} and {} are the same tensor", dir_.string(),
                  in_quotes(at->second), in_quotes(stored));
    }
  }
  return {};
}

// A file may hold an lm_head although the configuration ties it. transformers 5 then uses it if it
// differs from the embedding (modeling_utils.py, tie_weights), which this follows.
Status Checkpoint::settle_tied_embeddings() {
  if (!config_.text.tie_word_embeddings || !stored_names_.contains("lm_head.weight")) return {};
  const std::vector<std::int64_t> shape = {config_.text.vocab_size, config_.text.hidden_size};
  TRU_TRY(const TensorView head, tensor("lm_head.weight", shape));
  TRU_TRY(const TensorView embedding, tensor("model.language_model.embed_tokens.weight", shape));
  config_.text.tie_word_embeddings =
      head.dtype == embedding.dtype &&
      std::equal(head.data.begin(), head.data.end(), embedding.data.begin(), embedding.data.end());
  return {};
}

Status Checkpoint::check_tensors() {
  for (const TensorSpec& spec : expected_tensors(config_)) {
    TRU_CHECK(tensor(spec.name, spec.shape));
  }
  return {};
}

std::vector<std::string> Checkpoint::expert_parts(std::string_view name) const {
  return gguf_ ? GgufModel::expert_parts(name) : std::vector<std::string>();
}

Result<TensorView> Checkpoint::tensor(std::string_view name) const {
  if (gguf_) return gguf_->tensor(name);
  const auto stored = stored_names_.find(name);
  if (stored == stored_names_.end()) {
    return fail(ErrorCode::model_invalid, "{}: tensor {} is missing", dir_.string(), name);
  }
  TRU_TRY(TensorView view, weights_.tensor(stored->second));
  view.name = name;
  return view;
}

std::optional<Dtype> Checkpoint::dtype(std::string_view name) const {
  const auto view = tensor(name);
  return view ? std::optional(view->dtype) : std::nullopt;
}

Result<TensorView> Checkpoint::tensor(std::string_view name,
                                      const std::vector<std::int64_t>& expected_shape) const {
  TRU_TRY(TensorView view, tensor(name));
  if (view.shape != expected_shape) {
    const auto& path = view.file < files().size() ? files()[view.file].path() : dir_;
    return fail(ErrorCode::model_invalid, "{}: tensor {} has shape [{}]; config.json asks for [{}]",
                path.string(), name, fmt::join(view.shape, ", "), fmt::join(expected_shape, ", "));
  }
  return view;
}

}  // namespace tru::weights
