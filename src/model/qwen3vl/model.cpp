#include "model/qwen3vl/model.h"

namespace tru::model::qwen3vl {

Result<std::unique_ptr<Model>> Model::load(std::shared_ptr<const weights::Checkpoint> checkpoint,
                                           tensor::Device& device, weights::WeightFormat format) {
  const weights::ModelConfig& config = checkpoint->config();
  std::unique_ptr<Model> model(new Model(config));
  model->patch_shape_ = {config.vision.patch_size, config.vision.temporal_patch_size,
                         config.vision.spatial_merge_size, config.video_processor.image_mean,
                         config.video_processor.image_std};
  // Who asks for f32 weights wants the reference's numbers: the cache must not round either.
  model->f32_ = format == weights::WeightFormat::f32;

  weights::Loader loader(std::move(checkpoint), device, format);
  model->vision_ = std::make_unique<VisionEncoder>(config.vision, loader, device);
  model->language_ = std::make_unique<LanguageModel>(
      config.text, config.vision.deepstack_visual_indexes.size(), loader, device);
  TRU_TRY(model->weights_, loader.finish());
  return model;
}

KvShape Model::kv_shape() const {
  return {config_.text.num_hidden_layers, config_.text.num_key_value_heads, config_.text.head_dim,
          f32_};
}

}  // namespace tru::model::qwen3vl
