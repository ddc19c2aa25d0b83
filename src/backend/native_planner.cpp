#include "backend/native_planner.h"

#include <algorithm>

#include "backend/model_text.h"
#include "backend/native_prompt.h"
#include "model/qwen3vl/cost.h"
#include "model/qwen3vl/model.h"
#include "tensor/roofline.h"

namespace tru::backend {

Result<std::int64_t> choose_max_context(std::int64_t wanted, std::int64_t model_limit,
                                        const model::KvShape& kv, const tensor::Device& device) {
  constexpr std::int64_t kLeast = 256;
  const std::size_t token_bytes = kv.bytes_per_token();
  const auto fitting = static_cast<std::int64_t>(device.info().memory_free_bytes / 2 / token_bytes);
  if (wanted > model_limit) {
    return fail(ErrorCode::config_invalid, "MAX_CONTEXT is {} tokens; the model allows at most {}",
                wanted, model_limit);
  }
  const std::int64_t needed = std::max(wanted, kLeast);
  if (needed > fitting) {
    return fail(ErrorCode::config_invalid,
                "a context of {} tokens needs {} MiB; half of the free memory holds {} tokens",
                needed, static_cast<std::size_t>(needed) * token_bytes >> 20, fitting);
  }
  return wanted > 0 ? wanted : std::min(model_limit, fitting);
}

Result<NativePlanner> NativePlanner::load(const NativeConfig& config) {
  TRU_TRY(weights::Checkpoint opened,
          weights::Checkpoint::open(config.model, config.hub_cache, config.mmproj));
  auto checkpoint = std::make_shared<const weights::Checkpoint>(std::move(opened));
  TRU_TRY(ModelText text, load_model_text(checkpoint->dir(), checkpoint->gguf()));
  TRU_TRY(tensor::Device device, tensor::Device::open(config.device, config.threads));

  NativePlanner planner(std::move(checkpoint), std::move(text.tokenizer), std::move(text.chat),
                        std::make_unique<tensor::Device>(std::move(device)));
  TRU_TRY(const auto format,
          weights::choose_weight_format(config.weights, *planner.checkpoint_, *planner.device_));
  planner.weight_format_ = format;
  const weights::TextConfig& model = planner.checkpoint_->config().text;
  TRU_TRY(planner.max_context_,
          choose_max_context(config.max_context, model.max_position_embeddings,
                             model::qwen3vl::kv_shape(model, format), *planner.device_));
  return planner;
}

ModelInfo NativePlanner::info() const {
  const weights::ModelConfig& config = checkpoint_->config();
  ModelInfo info;
  info.backend = "hf";
  info.name = config.name;
  info.max_context = max_context_;
  info.vision.patch_size = config.vision.patch_size;
  info.vision.spatial_merge_size = config.vision.spatial_merge_size;
  info.vision.temporal_patch_size = config.vision.temporal_patch_size;
  info.vision.image_min_pixels = config.image_processor.shortest_edge;
  info.vision.image_max_pixels = config.image_processor.longest_edge;
  info.vision.video_min_pixels = config.video_processor.shortest_edge;
  info.vision.video_max_pixels = config.video_processor.longest_edge;
  return info;
}

Result<std::unique_ptr<Prompt>> NativePlanner::build_prompt(
    const std::vector<text::Message>& messages, const std::vector<MediaShape>& media) const {
  const int merge = checkpoint_->config().vision.spatial_merge_size;
  std::vector<text::MediaLayout> layouts;
  for (const MediaShape& shape : media) {
    text::MediaLayout layout;
    layout.kind = shape.kind;
    layout.tokens_per_patch = shape.grid_thw[1] * shape.grid_thw[2] / (merge * merge);
    for (const double time : shape.timestamps_s) {
      layout.timestamps.push_back(fmt::format("{:.1f}", time));
    }
    layouts.push_back(std::move(layout));
  }
  TRU_TRY(auto segments, chat_.render(tokenizer_, messages, layouts));
  return std::make_unique<NativePrompt>(std::move(segments), media);
}

// Of a layer's matrix: GGUF files may have embeddings in another one.
weights::Dtype NativePlanner::dtype_on_disk() const {
  return checkpoint_->dtype("model.language_model.layers.0.self_attn.q_proj.weight")
      .value_or(weights::Dtype::f32);
}

tensor::MatrixType NativePlanner::matrix_type() const {
  return weights::matrix_type(weight_format_, dtype_on_disk(), *device_);
}

tensor::MatrixType NativePlanner::vision_matrix_type() const {
  return weights::matrix_type(weights::vision_format(weight_format_), dtype_on_disk(), *device_);
}

Result<Estimate> NativePlanner::estimate(const Prompt& prompt, const std::vector<MediaShape>& media,
                                         std::int64_t max_tokens) {
  if (gflops_ == 0) {
    TRU_TRY(gflops_, tensor::measure_gemm_gflops(*device_, matrix_type()));
  }
  const weights::ModelConfig& config = checkpoint_->config();
  const std::int64_t tokens = prompt.num_tokens();
  double flop = model::qwen3vl::prefill_flop(config.text, tokens);
  std::int64_t largest_patch = 0;
  for (const MediaShape& shape : media) {
    const model::qwen3vl::GridTHW grid{shape.grid_thw[0], shape.grid_thw[1], shape.grid_thw[2]};
    flop += model::qwen3vl::vision_flop(config.vision, grid);
    largest_patch = std::max(largest_patch, grid.h * grid.w);
  }
  Estimate estimate;
  estimate.prompt_tokens = tokens;
  // Attention, norms and copies run below the rate of large products. docs/BENCHMARKS.md compares
  // the estimate with what a clip took.
  constexpr double kShareOfRate = 0.75;
  estimate.first_token_s = flop / (gflops_ * 1e9) / kShareOfRate;
  const auto kept = static_cast<std::size_t>(std::min(tokens + max_tokens, max_context_));
  const model::KvShape kv = model::qwen3vl::kv_shape(config.text, weight_format_);
  estimate.memory_bytes =
      kept * kv.bytes_per_token() + model::qwen3vl::working_bytes(config, largest_patch, tokens);
  if (matrix_type().packed || matrix_type().plain != weights::to_ggml(dtype_on_disk())) {
    *estimate.memory_bytes += model::qwen3vl::converted_bytes(
        config, matrix_type().bytes_per_weight(), vision_matrix_type().bytes_per_weight());
  }
  return estimate;
}

}  // namespace tru::backend
