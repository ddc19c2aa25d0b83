// Graph blocks that every transformer here is made of.
#pragma once

#include <string>

#include "tensor/linear.h"
#include "weights/loader.h"

namespace tru::model {

// y = W x + b; bias ne = {out} or null.
struct Linear {
  tensor::Matrix weight;
  ggml_tensor* bias = nullptr;

  static Linear load(weights::Loader& loader, const std::string& name, std::int64_t out,
                     std::int64_t in, bool with_bias);
  ggml_tensor* operator()(tensor::Graph& graph, ggml_tensor* x) const;
};

// LayerNorm over the first dimension.
struct LayerNorm {
  ggml_tensor* weight = nullptr;
  ggml_tensor* bias = nullptr;

  static LayerNorm load(weights::Loader& loader, const std::string& name, std::int64_t size);
  ggml_tensor* operator()(tensor::Graph& graph, ggml_tensor* x, float epsilon) const;
};

// RMSNorm over the first dimension.
struct RmsNorm {
  ggml_tensor* weight = nullptr;

  static RmsNorm load(weights::Loader& loader, const std::string& name, std::int64_t size);
  ggml_tensor* operator()(tensor::Graph& graph, ggml_tensor* x, float epsilon) const;
};

}  // namespace tru::model
