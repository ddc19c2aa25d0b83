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
  // addend: like the result, added to it, or null.
  ggml_tensor* operator()(tensor::Graph& graph, const tensor::Rows& x,
                          ggml_tensor* addend = nullptr) const;
  ggml_tensor* operator()(tensor::Graph& graph, ggml_tensor* x,
                          ggml_tensor* addend = nullptr) const;
};

// LayerNorm over the first dimension.
struct LayerNorm {
  ggml_tensor* weight = nullptr;
  ggml_tensor* bias = nullptr;

  static LayerNorm load(weights::Loader& loader, const std::string& name, std::int64_t size);
  tensor::Rows operator()(tensor::Graph& graph, ggml_tensor* x, float epsilon) const;
};

// RMSNorm over the first dimension.
struct RmsNorm {
  ggml_tensor* weight = nullptr;

  static RmsNorm load(weights::Loader& loader, const std::string& name, std::int64_t size);
  tensor::Rows operator()(tensor::Graph& graph, ggml_tensor* x, float epsilon) const;
};

}  // namespace tru::model
