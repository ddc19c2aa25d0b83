#include "model/qwen3vl/model.h"

#include "model/qwen3vl/cost.h"

namespace tru::model::qwen3vl {

Result<std::unique_ptr<Model>> Model::load(std::shared_ptr<const weights::Checkpoint> checkpoint,
                                           tensor::Device& device, weights::WeightFormat format,
                                           const weights::WeightCacheConfig& cache) {
  const weights::ModelConfig& config = checkpoint->config();
  std::unique_ptr<Model> model(new Model(config));
  model->patch_shape_ = {config.vision.patch_size, config.vision.temporal_patch_size,
                         config.vision.spatial_merge_size, config.video_processor.image_mean,
                         config.video_processor.image_std};
  model->kv_shape_ = qwen3vl::kv_shape(config.text, format);

  weights::Loader loader(std::move(checkpoint), device, format, cache);
  model->vision_ = std::make_unique<VisionEncoder>(config.vision, loader, device);
  model->language_ = std::make_unique<LanguageModel>(
      config.text, config.vision.deepstack_visual_indexes.size(), loader, device);
  TRU_TRY(model->weights_, loader.finish());
  return model;
}

}  // namespace tru::model::qwen3vl
