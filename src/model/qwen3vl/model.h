// A Qwen3-VL checkpoint ready to run: vision encoder and language model on one device.
#pragma once

#include <memory>

#include "base/result.h"
#include "model/kv_cache.h"
#include "model/qwen3vl/language.h"
#include "model/qwen3vl/vision.h"
#include "weights/checkpoint.h"
#include "weights/loader.h"

namespace tru::model::qwen3vl {

class Model {
 public:
  // The device must outlive the model. Errors: model_invalid, engine_failed.
  static Result<std::unique_ptr<Model>> load(std::shared_ptr<const weights::Checkpoint> checkpoint,
                                             tensor::Device& device, weights::WeightFormat format,
                                             const weights::WeightCacheConfig& cache = {});

  const weights::ModelConfig& config() const { return config_; }
  const PatchShape& patch_shape() const { return patch_shape_; }
  const KvShape& kv_shape() const { return kv_shape_; }
  std::size_t mapped_bytes() const { return weights_.mapped_bytes; }
  std::size_t allocated_bytes() const { return weights_.allocated_bytes; }

  VisionEncoder& vision() { return *vision_; }
  LanguageModel& language() { return *language_; }

 private:
  explicit Model(const weights::ModelConfig& config) : config_(config) {}

  weights::ModelConfig config_;
  PatchShape patch_shape_;
  KvShape kv_shape_;
  weights::LoadedWeights weights_;
  std::unique_ptr<VisionEncoder> vision_;
  std::unique_ptr<LanguageModel> language_;
};

}  // namespace tru::model::qwen3vl
