// The vision encoder: patches of temporal patches -> one embedding per merged token, plus the
// deepstack features that later go into the language model's first layers.
// Source: transformers modeling_qwen3_vl.py, Qwen3VLVisionModel.
#pragma once

#include <memory>
#include <span>
#include <stop_token>
#include <vector>

#include "base/result.h"
#include "model/blocks.h"
#include "model/qwen3vl/patches.h"
#include "tensor/rotary.h"
#include "weights/config.h"

namespace tru::model::qwen3vl {

// f32 rows [tokens, hidden_size of the language model].
struct VisionFeatures {
  std::int64_t tokens = 0;
  std::vector<float> embeddings;
  std::vector<std::vector<float>> deepstack;  // one entry per deepstack_visual_indexes
};

class VisionEncoder {
 public:
  // Lists its tensors; they are usable after loader.finish().
  VisionEncoder(const weights::VisionConfig& config, weights::Loader& loader,
                tensor::Device& device);

  // patches: f32 [grid.patches(), row size], temporal patches one after another. Attention stays
  // inside each temporal patch, so any number of them gives the same as one by one.
  // Errors: engine_failed, cancelled.
  Result<VisionFeatures> encode(const GridTHW& grid, std::span<const float> patches,
                                std::stop_token stop);

 private:
  struct Block {
    LayerNorm norm1, norm2;
    Linear qkv, proj, fc1, fc2;
  };
  struct Merger {
    LayerNorm norm;
    Linear fc1, fc2;
    bool norm_after_merge;
  };
  // What depends on the size of a frame only: inputs of the graph.
  struct GridTables {
    GridTHW grid;                           // t = 1
    std::vector<float> position_embedding;  // [h * w, hidden_size], in patch row order
    std::vector<std::int32_t> positions;    // rows, columns, and two unused axes
  };

  Merger load_merger(weights::Loader& loader, const std::string& name, bool norm_after_merge) const;
  const GridTables& tables(std::int64_t h, std::int64_t w);
  ggml_tensor* attention(tensor::Graph& graph, const Block& block, ggml_tensor* x,
                         const tensor::Rotary& rotary) const;
  ggml_tensor* merge(tensor::Graph& graph, const Merger& merger, ggml_tensor* x) const;

  weights::VisionConfig config_;
  Linear patch_embed_;
  std::vector<float> position_table_;  // [num_position_embeddings, hidden_size]
  std::vector<Block> blocks_;
  Merger merger_;
  std::vector<Merger> deepstack_mergers_;
  std::vector<float> wavelengths_;
  GridTables tables_;
  tensor::Workspace workspace_;
};

// Bilinear, align-corners lookup of a side x side table of `width` columns at an h x w grid, rows
// in patch order. Source: transformers vision_utils.py.
std::vector<float> interpolate_positions(std::span<const float> table, std::int64_t width,
                                         std::int64_t h, std::int64_t w, std::int64_t merge);

}  // namespace tru::model::qwen3vl
