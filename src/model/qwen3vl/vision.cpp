#include "model/qwen3vl/vision.h"

#include <algorithm>
#include <cmath>

#include "base/assert.h"
#include "tensor/attention.h"
#include "tensor/inner_linear.h"

namespace tru::model::qwen3vl {
namespace {

constexpr float kNormEpsilon = 1e-6f;

// Two neighbours on one axis of the table and the weight of the second.
struct Tap {
  std::int64_t low, high;
  float fraction;
};

Tap tap(std::int64_t i, std::int64_t count, std::int64_t side) {
  const float source = static_cast<float>(i) * static_cast<float>(side - 1) /
                       static_cast<float>(std::max<std::int64_t>(count - 1, 1));
  const std::int64_t low = std::min(static_cast<std::int64_t>(source), side - 1);
  return {low, std::min(low + 1, side - 1), source - static_cast<float>(low)};
}

}  // namespace

std::vector<float> interpolate_positions(std::span<const float> table, std::int64_t width,
                                         std::int64_t h, std::int64_t w, std::int64_t merge) {
  const auto entries = static_cast<std::int64_t>(table.size()) / width;
  const auto side = static_cast<std::int64_t>(std::sqrt(static_cast<double>(entries)));
  std::vector<float> rows;
  rows.reserve(static_cast<std::size_t>(h * w * width));
  for (const PatchPlace& place : patch_places(h, w, merge)) {
    const Tap y = tap(place.row, h, side);
    const Tap x = tap(place.column, w, side);
    const float* corners[] = {&table[static_cast<std::size_t>((y.low * side + x.low) * width)],
                              &table[static_cast<std::size_t>((y.low * side + x.high) * width)],
                              &table[static_cast<std::size_t>((y.high * side + x.low) * width)],
                              &table[static_cast<std::size_t>((y.high * side + x.high) * width)]};
    const float weights[] = {(1 - y.fraction) * (1 - x.fraction), (1 - y.fraction) * x.fraction,
                             y.fraction * (1 - x.fraction), y.fraction * x.fraction};
    for (std::int64_t i = 0; i < width; ++i) {
      rows.push_back(weights[0] * corners[0][i] + weights[1] * corners[1][i] +
                     weights[2] * corners[2][i] + weights[3] * corners[3][i]);
    }
  }
  return rows;
}

VisionEncoder::VisionEncoder(const weights::VisionConfig& config, weights::Loader& loader,
                             tensor::Device& device)
    : config_(config), workspace_(device) {
  const std::int64_t hidden = config.hidden_size;
  const std::int64_t mlp = config.intermediate_size;
  const std::string root = "model.visual.";
  patch_embed_ = {loader.linear(root + "patch_embed.proj.weight",
                                {hidden, config.in_channels, config.temporal_patch_size,
                                 config.patch_size, config.patch_size}),
                  loader.vector(root + "patch_embed.proj.bias", hidden)};
  position_table_ =
      loader.host_table(root + "pos_embed.weight", config.num_position_embeddings, hidden);
  for (int i = 0; i < config.depth; ++i) {
    const std::string name = root + "blocks." + std::to_string(i) + ".";
    blocks_.push_back({LayerNorm::load(loader, name + "norm1", hidden),
                       LayerNorm::load(loader, name + "norm2", hidden),
                       Linear::load(loader, name + "attn.qkv", 3 * hidden, hidden, true),
                       Linear::load(loader, name + "attn.proj", hidden, hidden, true),
                       Linear::load(loader, name + "mlp.linear_fc1", mlp, hidden, true),
                       Linear::load(loader, name + "mlp.linear_fc2", hidden, mlp, true)});
  }
  merger_ = load_merger(loader, root + "merger", false);
  for (std::size_t i = 0; i < config.deepstack_visual_indexes.size(); ++i) {
    const std::string name = root + "deepstack_merger_list." + std::to_string(i);
    deepstack_mergers_.push_back(load_merger(loader, name, true));
  }
  // theta^(k / (d/4)) in f32, the same for rows and columns.
  const std::int64_t quarter = hidden / config.num_heads / 4;
  for (std::int64_t i = 0; i < 2 * quarter; ++i) {
    const float exponent = static_cast<float>(i % quarter) / static_cast<float>(quarter);
    wavelengths_.push_back(std::pow(static_cast<float>(config.rope_theta), exponent));
  }
}

VisionEncoder::Merger VisionEncoder::load_merger(weights::Loader& loader, const std::string& name,
                                                 bool norm_after_merge) const {
  const std::int64_t merged =
      config_.hidden_size * config_.spatial_merge_size * config_.spatial_merge_size;
  return {LayerNorm::load(loader, name + ".norm", norm_after_merge ? merged : config_.hidden_size),
          Linear::load(loader, name + ".linear_fc1", merged, merged, true),
          Linear::load(loader, name + ".linear_fc2", config_.out_hidden_size, merged, true),
          norm_after_merge};
}

const VisionEncoder::GridTables& VisionEncoder::tables(std::int64_t h, std::int64_t w) {
  const GridTHW grid{1, h, w};
  if (tables_.grid == grid) return tables_;
  const std::int64_t merge = config_.spatial_merge_size;
  const auto places = patch_places(h, w, merge);
  const std::size_t patches = places.size();
  tables_.grid = grid;
  tables_.position_embedding =
      interpolate_positions(position_table_, config_.hidden_size, h, w, merge);
  tables_.positions.assign(4 * patches, 0);
  for (std::size_t i = 0; i < patches; ++i) {
    tables_.positions[i] = static_cast<std::int32_t>(places[i].row);
    tables_.positions[patches + i] = static_cast<std::int32_t>(places[i].column);
  }
  return tables_;
}

// x: [hidden, h * w, t] -> x plus the attention of its norm. Rows attend within their temporal
// patch, which is the batch dimension.
ggml_tensor* VisionEncoder::attention(tensor::Graph& graph, const Block& block, ggml_tensor* x,
                                      const tensor::Rotary& rotary) const {
  ggml_context* context = graph.context();
  const std::int64_t heads = config_.num_heads;
  const std::int64_t head_dim = config_.hidden_size / heads;
  const std::int64_t patches = x->ne[1];
  const std::int64_t frames = x->ne[2];
  ggml_tensor* qkv = block.qkv(graph, block.norm1(graph, x, kNormEpsilon));
  // qkv rows are [3][heads][head_dim].
  const auto part = [&](std::size_t index) {
    return ggml_view_4d(context, qkv, head_dim, heads, patches, frames,
                        static_cast<std::size_t>(head_dim) * sizeof(float), qkv->nb[1], qkv->nb[2],
                        index * static_cast<std::size_t>(config_.hidden_size) * sizeof(float));
  };
  ggml_tensor* q = rotary(part(0));
  ggml_tensor* k = rotary(part(1));
  if (block.qkv.weight.packed) {
    return block.proj(graph, tensor::attention(graph, q, k, part(2), {}), x);
  }
  const auto by_head = [&](ggml_tensor* rows) { return ggml_permute(context, rows, 0, 2, 1, 3); };
  ggml_tensor* out =
      tensor::ggml_attention(graph, by_head(q), by_head(k), by_head(part(2)), nullptr);
  return block.proj(graph, ggml_reshape_3d(context, out, config_.hidden_size, patches, frames), x);
}

// x: [hidden, patches] -> [out_hidden, patches / merge^2].
ggml_tensor* VisionEncoder::merge(tensor::Graph& graph, const Merger& merger,
                                  ggml_tensor* x) const {
  ggml_context* context = graph.context();
  const std::int64_t area = config_.spatial_merge_size * config_.spatial_merge_size;
  const auto group = [&](ggml_tensor* rows) {
    return ggml_reshape_2d(context, rows, config_.hidden_size * area, ggml_nrows(x) / area);
  };
  const tensor::Rows normed =
      merger.norm_after_merge
          ? merger.norm(graph, group(x), kNormEpsilon)
          : tensor::Rows(graph, group(merger.norm(graph, x, kNormEpsilon).tensor()));
  return merger.fc2(graph,
                    tensor::linear_gelu_erf(graph, merger.fc1.weight, merger.fc1.bias, normed));
}

Result<VisionFeatures> VisionEncoder::encode(const GridTHW& grid, std::span<const float> patches,
                                             std::stop_token stop) {
  const GridTables& frame = tables(grid.h, grid.w);
  const std::int64_t rows = grid.h * grid.w;
  const std::int64_t row_size = patch_embed_.weight.columns;
  TRU_ASSERT(patches.size() == static_cast<std::size_t>(grid.patches() * row_size));

  tensor::Graph graph(workspace_);
  ggml_context* context = graph.context();
  ggml_tensor* pixels =
      graph.input(GGML_TYPE_F32, std::vector{row_size, rows, grid.t}, patches.data());
  ggml_tensor* embedding =
      graph.input(GGML_TYPE_F32, std::vector<std::int64_t>{config_.hidden_size, rows},
                  frame.position_embedding.data());
  ggml_tensor* positions =
      graph.input(GGML_TYPE_I32, std::vector<std::int64_t>{4 * rows}, frame.positions.data());
  ggml_tensor* wavelengths =
      graph.input(GGML_TYPE_F32, std::vector{static_cast<std::int64_t>(wavelengths_.size())},
                  wavelengths_.data());
  const tensor::Rotary rotary(graph, positions, wavelengths, tensor::RotaryAxes::halves);

  ggml_tensor* x = ggml_add_inplace(context, patch_embed_(graph, pixels), embedding);
  std::vector<ggml_tensor*> taps(deepstack_mergers_.size());
  for (int i = 0; i < config_.depth; ++i) {
    const Block& block = blocks_[static_cast<std::size_t>(i)];
    x = attention(graph, block, x, rotary);
    x = block.fc2(graph,
                  tensor::linear_gelu_tanh(graph, block.fc1.weight, block.fc1.bias,
                                           block.norm2(graph, x, kNormEpsilon)),
                  x);
    for (std::size_t j = 0; j < taps.size(); ++j) {
      if (config_.deepstack_visual_indexes[j] != i) continue;
      taps[j] = merge(graph, deepstack_mergers_[j], x);
      graph.output(taps[j]);
    }
  }
  ggml_tensor* merged = merge(graph, merger_, x);
  graph.output(merged);
  TRU_CHECK(graph.run(stop));

  VisionFeatures features;
  features.tokens = merged->ne[1];
  features.embeddings = graph.read(merged);
  for (ggml_tensor* tap : taps) features.deepstack.push_back(graph.read(tap));
  return features;
}

}  // namespace tru::model::qwen3vl
