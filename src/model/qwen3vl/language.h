// The language model: tokens and visual embeddings -> logits. Dense and mixture-of-experts layers.
// Source: transformers modeling_qwen3_vl.py and modeling_qwen3_vl_moe.py.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

#include "base/result.h"
#include "model/blocks.h"
#include "model/kv_cache.h"
#include "model/qwen3vl/mrope.h"
#include "model/qwen3vl/vision.h"
#include "tensor/experts.h"
#include "weights/config.h"

namespace tru::model::qwen3vl {

// A long prompt goes through in passes of this many tokens: enough to keep the processor at large
// matrix products, few enough that intermediate results stay small.
inline constexpr std::int64_t kPrefillTokens = 512;

// `count` rows of `features` from `first_feature` stand at the batch's rows from `first_row`.
struct VisualRows {
  std::int64_t first_row = 0;
  std::int64_t count = 0;
  const VisionFeatures* features = nullptr;
  std::int64_t first_feature = 0;
};

// Consecutive tokens of one sequence, to be put behind `past` tokens already in the cache.
struct Batch {
  std::span<const std::int32_t> ids;  // at visual rows: any valid id
  const Positions* positions = nullptr;
  std::vector<VisualRows> visual;
  std::int64_t past = 0;
  bool wants_logits = false;
};

class LanguageModel {
 public:
  // Lists its tensors; they are usable after loader.finish().
  LanguageModel(const weights::TextConfig& config, std::size_t deepstack_count,
                weights::Loader& loader, tensor::Device& device);

  // Adds the batch to the cache. Returns the logits [vocab_size] after its last token, or nothing
  // when they are not wanted. Errors: engine_failed, cancelled (the cache's rows from batch.past
  // on are then undefined).
  Result<std::vector<float>> forward(const Batch& batch, KvCache& cache, std::stop_token stop);

 private:
  struct Attention {
    Linear q_proj, k_proj, v_proj, o_proj;
    RmsNorm q_norm, k_norm;
    bool by_kernels;  // of our own: on CPUs, if the weights are not exact anyway
  };
  struct DenseMlp {
    Linear gate_proj, up_proj, down_proj;
  };
  struct SparseMlp {
    Linear gate;  // router
    tensor::ExpertMlps experts;
  };
  struct Layer {
    RmsNorm input_layernorm, post_attention_layernorm;
    Attention attention;
    DenseMlp dense;
    SparseMlp sparse;
    bool is_sparse = false;
  };
  // One forward pass: its values in memory, and as graph tensors.
  struct HostInputs;
  struct Inputs;
  struct Rows;

  Layer load_layer(weights::Loader& loader, int index, const tensor::Device& device) const;
  bool reads_mask() const;
  static std::vector<ggml_fp16_t> causal_mask(const Batch& batch);
  HostInputs gather(const Batch& batch) const;
  Inputs make_inputs(tensor::Graph& graph, const Batch& batch, const HostInputs& host) const;
  ggml_tensor* embed(tensor::Graph& graph, const Batch& batch, const Inputs& inputs) const;
  ggml_tensor* heads(tensor::Graph& graph, ggml_tensor* rows) const;
  void store(tensor::Graph& graph, const Layer& layer, const tensor::Rows& x, const Inputs& inputs,
             ggml_tensor* keys, ggml_tensor* values) const;
  ggml_tensor* attend(tensor::Graph& graph, const Layer& layer, ggml_tensor* x,
                      const tensor::Rows& normed, const Rows& rows, ggml_tensor* keys,
                      ggml_tensor* values) const;
  ggml_tensor* mlp(tensor::Graph& graph, const Layer& layer, ggml_tensor* x) const;
  ggml_tensor* dense_mlp(tensor::Graph& graph, const DenseMlp& mlp, const tensor::Rows& x,
                         ggml_tensor* addend) const;
  ggml_tensor* sparse_mlp(tensor::Graph& graph, const SparseMlp& mlp, ggml_tensor* x,
                          ggml_tensor* addend) const;

  weights::TextConfig config_;
  std::size_t deepstack_count_;
  ggml_tensor* embed_tokens_;
  std::vector<Layer> layers_;
  RmsNorm norm_;
  Linear lm_head_;
  std::vector<float> wavelengths_;
  tensor::Workspace workspace_;
};

}  // namespace tru::model::qwen3vl
