#include "model/qwen3vl/language.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/assert.h"
#include "tensor/attention.h"
#include "tensor/inner_linear.h"
#include "tensor/rotary.h"

namespace tru::model::qwen3vl {
namespace {

ggml_tensor* last_row(tensor::Graph& graph, ggml_tensor* x) {
  return ggml_view_2d(graph.context(), x, x->ne[0], 1, x->nb[1],
                      static_cast<std::size_t>(x->ne[1] - 1) * x->nb[1]);
}

}  // namespace

// Host values of a batch, kept alive until its graph has run.
struct LanguageModel::HostInputs {
  std::vector<std::int32_t> positions;        // axes T, H, W and T again, one after another
  std::array<std::int32_t, 4> last_position;  // the same of the last token
  std::vector<ggml_fp16_t> mask;              // causal_mask(), or empty: see reads_mask()
  std::vector<std::int64_t> visual_rows;
  std::vector<float> visual;                  // [hidden, visual rows]
  std::vector<std::vector<float>> deepstack;  // [hidden, batch] each, zero at text
};

// Our kernels know by themselves what a row sees.
bool LanguageModel::reads_mask() const {
  return std::any_of(layers_.begin(), layers_.end(),
                     [](const Layer& layer) { return !layer.attention.by_kernels; });
}

// [padded tokens, batch]: zero where a token of the batch sees one of the cache.
std::vector<ggml_fp16_t> LanguageModel::causal_mask(const Batch& batch) {
  const std::size_t tokens = batch.ids.size();
  const auto padded =
      static_cast<std::size_t>(KvCache::padded(batch.past + static_cast<std::int64_t>(tokens)));
  std::vector<ggml_fp16_t> mask(padded * tokens, ggml_fp32_to_fp16(-INFINITY));
  for (std::size_t i = 0; i < tokens; ++i) {
    const auto row = mask.begin() + static_cast<std::ptrdiff_t>(i * padded);
    const auto visible = batch.past + static_cast<std::int64_t>(i) + 1;
    std::fill(row, row + visible, ggml_fp32_to_fp16(0.0f));
  }
  return mask;
}

LanguageModel::HostInputs LanguageModel::gather(const Batch& batch) const {
  const std::int64_t hidden = config_.hidden_size;
  HostInputs host;
  const std::size_t tokens = batch.ids.size();
  constexpr std::size_t kAxes[] = {0, 1, 2, 0};
  for (std::size_t i = 0; i < 4; ++i) {
    const auto& values = batch.positions->axes[kAxes[i]];
    TRU_ASSERT(values.size() == tokens);
    host.positions.insert(host.positions.end(), values.begin(), values.end());
    host.last_position[i] = values.back();
  }

  if (reads_mask()) host.mask = causal_mask(batch);
  if (batch.visual.empty()) return host;
  host.deepstack.assign(deepstack_count_,
                        std::vector<float>(static_cast<std::size_t>(hidden) * tokens));
  for (const VisualRows& rows : batch.visual) {
    TRU_ASSERT(rows.first_feature + rows.count <= rows.features->tokens);
    for (std::int64_t i = 0; i < rows.count; ++i) host.visual_rows.push_back(rows.first_row + i);
    const std::ptrdiff_t from = rows.first_feature * hidden;
    const std::ptrdiff_t to = from + rows.count * hidden;
    const auto& embeddings = rows.features->embeddings;
    host.visual.insert(host.visual.end(), embeddings.begin() + from, embeddings.begin() + to);
    for (std::size_t j = 0; j < deepstack_count_; ++j) {
      const auto& source = rows.features->deepstack[j];
      std::copy(source.begin() + from, source.begin() + to,
                host.deepstack[j].begin() + rows.first_row * hidden);
    }
  }
  return host;
}

// Rows of a batch whose attention is computed.
struct LanguageModel::Rows {
  tensor::Rotary rotary;
  ggml_tensor* mask;  // [padded tokens, count], or null: see reads_mask()
  std::int64_t count;
  std::int64_t past;  // tokens in the cache before the first of them
};

struct LanguageModel::Inputs {
  ggml_tensor* ids;
  Rows all;
  Rows last;  // the last token alone
  ggml_tensor* visual = nullptr;
  ggml_tensor* visual_rows = nullptr;
  std::vector<ggml_tensor*> deepstack = {};
  std::int64_t past;
};

LanguageModel::LanguageModel(const weights::TextConfig& config, std::size_t deepstack_count,
                             weights::Loader& loader, tensor::Device& device)
    : config_(config), deepstack_count_(deepstack_count), workspace_(device) {
  const std::string root = "model.language_model.";
  const std::string embed = root + "embed_tokens";
  embed_tokens_ = loader.table(embed + ".weight", config.vocab_size, config.hidden_size);
  for (int i = 0; i < config.num_hidden_layers; ++i) {
    layers_.push_back(load_layer(loader, i, device));
  }
  norm_ = RmsNorm::load(loader, root + "norm", config.hidden_size);
  lm_head_ = Linear::load(loader, config.tie_word_embeddings ? embed : "lm_head", config.vocab_size,
                          config.hidden_size, false);
  for (int k = 0; k < config.head_dim / 2; ++k) {
    const float exponent = static_cast<float>(2 * k) / static_cast<float>(config.head_dim);
    wavelengths_.push_back(std::pow(static_cast<float>(config.rope_theta), exponent));
  }
}

LanguageModel::Layer LanguageModel::load_layer(weights::Loader& loader, int index,
                                               const tensor::Device& device) const {
  const weights::TextConfig& c = config_;
  const std::string name = "model.language_model.layers." + std::to_string(index) + ".";
  const std::int64_t q_size = static_cast<std::int64_t>(c.num_attention_heads) * c.head_dim;
  const std::int64_t kv_size = static_cast<std::int64_t>(c.num_key_value_heads) * c.head_dim;
  Layer layer;
  layer.input_layernorm = RmsNorm::load(loader, name + "input_layernorm", c.hidden_size);
  layer.post_attention_layernorm =
      RmsNorm::load(loader, name + "post_attention_layernorm", c.hidden_size);
  const std::string attention = name + "self_attn.";
  layer.attention = {Linear::load(loader, attention + "q_proj", q_size, c.hidden_size, false),
                     Linear::load(loader, attention + "k_proj", kv_size, c.hidden_size, false),
                     Linear::load(loader, attention + "v_proj", kv_size, c.hidden_size, false),
                     Linear::load(loader, attention + "o_proj", c.hidden_size, q_size, false),
                     RmsNorm::load(loader, attention + "q_norm", c.head_dim),
                     RmsNorm::load(loader, attention + "k_norm", c.head_dim),
                     false};
  layer.attention.by_kernels = device.is_cpu() && layer.attention.o_proj.weight.is_quantized();
  layer.is_sparse = c.is_sparse(index);
  const std::string mlp = name + "mlp.";
  if (layer.is_sparse) {
    // The router stays exact: a rounded score sends a token to another expert.
    layer.sparse = {
        {loader.exact_linear(mlp + "gate.weight", c.num_experts, c.hidden_size)},
        loader.experts(mlp + "experts", c.num_experts, c.hidden_size, c.moe_intermediate_size)};
  } else {
    layer.dense = {
        Linear::load(loader, mlp + "gate_proj", c.intermediate_size, c.hidden_size, false),
        Linear::load(loader, mlp + "up_proj", c.intermediate_size, c.hidden_size, false),
        Linear::load(loader, mlp + "down_proj", c.hidden_size, c.intermediate_size, false)};
  }
  return layer;
}

ggml_tensor* LanguageModel::embed(tensor::Graph& graph, const Batch& batch,
                                  const Inputs& inputs) const {
  ggml_tensor* x = ggml_get_rows(graph.context(), embed_tokens_, inputs.ids);
  if (batch.visual.empty()) return x;
  return ggml_set_rows(graph.context(), x, inputs.visual, inputs.visual_rows);
}

// rows: [heads * head_dim, n] -> [head_dim, heads, n]
ggml_tensor* LanguageModel::heads(tensor::Graph& graph, ggml_tensor* rows) const {
  const std::int64_t head_dim = config_.head_dim;
  return ggml_reshape_3d(graph.context(), rows, head_dim, rows->ne[0] / head_dim, rows->ne[1]);
}

// Keys and values of all rows of x, [hidden, tokens], go into the cache.
void LanguageModel::store(tensor::Graph& graph, const Layer& layer, const tensor::Rows& x,
                          const Inputs& inputs, ggml_tensor* keys, ggml_tensor* values) const {
  ggml_context* context = graph.context();
  const Attention& a = layer.attention;
  const float epsilon = static_cast<float>(config_.rms_norm_eps);
  ggml_tensor* k =
      inputs.all.rotary(a.k_norm(graph, heads(graph, a.k_proj(graph, x)), epsilon).tensor());
  const auto copy = [&](ggml_tensor* cache, ggml_tensor* rows) {
    ggml_tensor* place = ggml_view_2d(context, cache, cache->ne[0], inputs.all.count, cache->nb[1],
                                      static_cast<std::size_t>(inputs.past) * cache->nb[1]);
    graph.add(
        ggml_cpy(context, ggml_reshape_2d(context, rows, cache->ne[0], inputs.all.count), place));
  };
  copy(keys, k);
  copy(values, a.v_proj(graph, x));
}

// x: [hidden, rows.count] -> x plus the attention of `normed`, whose rows look at everything in the
// cache up to themselves.
ggml_tensor* LanguageModel::attend(tensor::Graph& graph, const Layer& layer, ggml_tensor* x,
                                   const tensor::Rows& normed, const Rows& rows, ggml_tensor* keys,
                                   ggml_tensor* values) const {
  ggml_context* context = graph.context();
  const Attention& a = layer.attention;
  const std::int64_t head_dim = config_.head_dim;
  const float epsilon = static_cast<float>(config_.rms_norm_eps);
  ggml_tensor* q =
      rows.rotary(a.q_norm(graph, heads(graph, a.q_proj(graph, normed)), epsilon).tensor());
  // [head_dim, heads, tokens]
  const auto stored = [&](ggml_tensor* cache, std::int64_t tokens) {
    const std::size_t head_bytes = static_cast<std::size_t>(head_dim) * ggml_type_size(cache->type);
    return ggml_view_3d(context, cache, head_dim, config_.num_key_value_heads, tokens, head_bytes,
                        cache->nb[1], 0);
  };
  if (a.by_kernels) {
    const std::int64_t tokens = rows.past + rows.count;
    return a.o_proj(graph,
                    tensor::attention(graph, q, stored(keys, tokens), stored(values, tokens),
                                      {true, rows.past}),
                    x);
  }
  const auto by_head = [&](ggml_tensor* y) { return ggml_permute(context, y, 0, 2, 1, 3); };
  const std::int64_t padded = rows.mask->ne[0];
  ggml_tensor* out = tensor::ggml_attention(graph, by_head(q), by_head(stored(keys, padded)),
                                            by_head(stored(values, padded)), rows.mask);
  const std::int64_t width = head_dim * config_.num_attention_heads;
  return a.o_proj(graph, ggml_reshape_2d(context, out, width, rows.count), x);
}

// x -> x plus its MLP.
ggml_tensor* LanguageModel::mlp(tensor::Graph& graph, const Layer& layer, ggml_tensor* x) const {
  const tensor::Rows normed =
      layer.post_attention_layernorm(graph, x, static_cast<float>(config_.rms_norm_eps));
  if (!layer.is_sparse) return dense_mlp(graph, layer.dense, normed, x);
  return sparse_mlp(graph, layer.sparse, normed.tensor(), x);
}

ggml_tensor* LanguageModel::dense_mlp(tensor::Graph& graph, const DenseMlp& mlp,
                                      const tensor::Rows& x, ggml_tensor* addend) const {
  const tensor::Rows inner =
      tensor::linear_swiglu(graph, mlp.gate_proj.weight, mlp.up_proj.weight, x);
  return mlp.down_proj(graph, inner, addend);
}

ggml_tensor* LanguageModel::sparse_mlp(tensor::Graph& graph, const SparseMlp& mlp, ggml_tensor* x,
                                       ggml_tensor* addend) const {
  ggml_context* context = graph.context();
  const int chosen = config_.num_experts_per_tok;
  // Softmax over all experts, then the best ones, renormalised to sum 1.
  ggml_tensor* probabilities = ggml_soft_max(context, mlp.gate(graph, x));
  ggml_tensor* experts = ggml_argsort_top_k(context, probabilities, chosen);
  ggml_tensor* weights = ggml_get_rows(
      context, ggml_reshape_3d(context, probabilities, 1, config_.num_experts, x->ne[1]), experts);
  weights = ggml_reshape_2d(context, weights, chosen, x->ne[1]);
  weights = ggml_div(context, weights, ggml_sum_rows(context, weights));
  return tensor::mixture_of_experts(graph, mlp.experts, {experts, weights}, x, addend);
}

LanguageModel::Inputs LanguageModel::make_inputs(tensor::Graph& graph, const Batch& batch,
                                                 const HostInputs& host) const {
  const auto input = [&](ggml_type type, std::vector<std::int64_t> shape, const void* data) {
    return graph.input(type, shape, data);
  };
  const auto tokens = static_cast<std::int64_t>(batch.ids.size());
  ggml_tensor* wavelengths = input(GGML_TYPE_F32, {config_.head_dim / 2}, wavelengths_.data());
  const auto rotary = [&](std::span<const std::int32_t> positions) {
    const auto size = static_cast<std::int64_t>(positions.size());
    return tensor::Rotary(graph, input(GGML_TYPE_I32, {size}, positions.data()), wavelengths,
                          tensor::RotaryAxes::interleaved, config_.mrope_section);
  };
  ggml_tensor* mask = nullptr;
  if (!host.mask.empty()) {
    const std::int64_t padded = KvCache::padded(batch.past + tokens);
    mask = input(GGML_TYPE_F16, {padded, tokens}, host.mask.data());
  }
  Inputs inputs{
      .ids = input(GGML_TYPE_I32, {tokens}, batch.ids.data()),
      .all = {rotary(host.positions), mask, tokens, batch.past},
      .last = {rotary(host.last_position), mask == nullptr ? nullptr : last_row(graph, mask), 1,
               batch.past + tokens - 1},
      .past = batch.past};
  if (batch.visual.empty()) return inputs;
  const auto count = static_cast<std::int64_t>(host.visual_rows.size());
  inputs.visual = input(GGML_TYPE_F32, {config_.hidden_size, count}, host.visual.data());
  inputs.visual_rows = input(GGML_TYPE_I64, {count}, host.visual_rows.data());
  for (const auto& features : host.deepstack) {
    inputs.deepstack.push_back(
        input(GGML_TYPE_F32, {config_.hidden_size, tokens}, features.data()));
  }
  return inputs;
}

Result<std::vector<float>> LanguageModel::forward(const Batch& batch, KvCache& cache,
                                                  std::stop_token stop) {
  cache.prepare(batch.past + static_cast<std::int64_t>(batch.ids.size()));
  const HostInputs host = gather(batch);
  tensor::Graph graph(workspace_);
  ggml_context* context = graph.context();
  const Inputs inputs = make_inputs(graph, batch, host);
  const float epsilon = static_cast<float>(config_.rms_norm_eps);

  ggml_tensor* x = embed(graph, batch, inputs);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    const tensor::Rows normed = layer.input_layernorm(graph, x, epsilon);
    store(graph, layer, normed, inputs, cache.keys(i), cache.values(i));
    // Of the last layer's output only the last token's is ever read, and in the middle of a prompt
    // not even that.
    const bool last_layer = i + 1 == layers_.size();
    if (last_layer && !batch.wants_logits) break;
    const auto kept = [&](ggml_tensor* rows) { return last_layer ? last_row(graph, rows) : rows; };
    const bool fewer = last_layer && batch.ids.size() > 1;
    x = kept(x);
    x = attend(graph, layer, x, fewer ? layer.input_layernorm(graph, x, epsilon) : normed,
               last_layer ? inputs.last : inputs.all, cache.keys(i), cache.values(i));
    x = mlp(graph, layer, x);
    if (i < inputs.deepstack.size()) x = ggml_add(context, x, kept(inputs.deepstack[i]));
  }
  if (!batch.wants_logits) {
    TRU_CHECK(graph.run(stop));
    return std::vector<float>();
  }
  ggml_tensor* logits = lm_head_(graph, norm_(graph, x, epsilon));
  graph.output(logits);
  TRU_CHECK(graph.run(stop));
  return graph.read(logits);
}

}  // namespace tru::model::qwen3vl
