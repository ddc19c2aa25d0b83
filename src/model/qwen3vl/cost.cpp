#include "model/qwen3vl/cost.h"

#include <algorithm>

#include "model/qwen3vl/language.h"
#include "weights/tensor_list.h"

namespace tru::model::qwen3vl {
namespace {

// Weights that one token meets in a decoder layer.
double active_weights(const weights::TextConfig& c, int layer) {
  const double q = static_cast<double>(c.num_attention_heads) * c.head_dim;
  const double kv = static_cast<double>(c.num_key_value_heads) * c.head_dim;
  const double hidden = c.hidden_size;
  const double attention = hidden * (2 * q + 2 * kv);
  if (!c.is_sparse(layer)) return attention + 3 * hidden * c.intermediate_size;
  return attention + hidden * c.num_experts +
         3 * hidden * c.moe_intermediate_size * c.num_experts_per_tok;
}

}  // namespace

KvShape kv_shape(const weights::TextConfig& config, weights::WeightFormat format) {
  // Who asks for f32 weights wants the reference's numbers: the cache must not round either.
  return {config.num_hidden_layers, config.num_key_value_heads, config.head_dim,
          format == weights::WeightFormat::f32};
}

double vision_flop(const weights::VisionConfig& c, const GridTHW& grid) {
  const double rows = static_cast<double>(grid.patches());
  const double frame = static_cast<double>(grid.h * grid.w);
  const double hidden = c.hidden_size;
  const double area = static_cast<double>(c.spatial_merge_size) * c.spatial_merge_size;
  const double merged = hidden * area;
  const double embed = 3.0 * c.temporal_patch_size * c.patch_size * c.patch_size * hidden;
  const double block = 4 * hidden * hidden + 2 * hidden * c.intermediate_size + 2 * frame * hidden;
  const double mergers = 1.0 + static_cast<double>(c.deepstack_visual_indexes.size());
  const double merger = (merged * merged + merged * c.out_hidden_size) / area;
  return 2 * rows * (embed + c.depth * block + mergers * merger);
}

double prefill_flop(const weights::TextConfig& c, std::int64_t tokens) {
  const double n = static_cast<double>(tokens);
  const double width = static_cast<double>(c.num_attention_heads) * c.head_dim;
  double flop = 2.0 * c.hidden_size * c.vocab_size;
  for (int i = 0; i < c.num_hidden_layers; ++i) {
    flop += 2 * n * active_weights(c, i) + 2 * n * n * width;
  }
  return flop;
}

double bytes_per_generated_token(const weights::TextConfig& c, double bytes_per_weight) {
  double weights = static_cast<double>(c.hidden_size) * c.vocab_size;
  for (int i = 0; i < c.num_hidden_layers; ++i) weights += active_weights(c, i);
  return weights * bytes_per_weight;
}

std::size_t working_bytes(const weights::ModelConfig& config, std::int64_t patches,
                          std::int64_t tokens) {
  const weights::VisionConfig& v = config.vision;
  const weights::TextConfig& t = config.text;
  const std::int64_t area = v.spatial_merge_size * v.spatial_merge_size;
  // Frames are encoded as many at a time as one prefill step needs.
  const std::int64_t rows = patches == 0 ? 0 : std::max(patches, kPrefillTokens * area + patches);
  const std::int64_t vision = rows * (6 * v.hidden_size + v.intermediate_size + 1536);
  const std::int64_t batch = std::min(tokens, kPrefillTokens);
  const std::int64_t mlp = std::max(t.intermediate_size, t.moe_intermediate_size);
  const std::int64_t language = batch * (8 * t.hidden_size + 3 * mlp) + batch * tokens / 2;
  return static_cast<std::size_t>(vision + language) * sizeof(float);
}

std::size_t converted_bytes(const weights::ModelConfig& config, double language, double vision) {
  double bytes = 0;
  for (const weights::TensorSpec& tensor : weights::expected_tensors(config)) {
    const auto count = static_cast<double>(tensor.num_elements());
    bytes += count * (weights::is_vision(tensor.name) ? vision : language);
  }
  return static_cast<std::size_t>(bytes);
}

}  // namespace tru::model::qwen3vl
