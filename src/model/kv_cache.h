// Keys and values of one sequence's tokens, per layer, on the device.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "tensor/device.h"
#include "tensor/graph.h"

namespace tru::model {

struct KvShape {
  std::int64_t layers = 0;
  std::int64_t num_key_value_heads = 0;
  std::int64_t head_dim = 0;
  bool f32 = false;  // else f16

  // For keys and values of all layers.
  std::size_t bytes_per_token() const {
    return static_cast<std::size_t>(2 * layers * num_key_value_heads * head_dim) * (f32 ? 4 : 2);
  }
};

class KvCache {
 public:
  // Attention reads whole blocks of this many tokens, so that graphs keep their shapes for a while.
  static constexpr std::int64_t kBlockTokens = 64;

  // Memory is taken from the system page by page as tokens come. Error: engine_failed.
  static Result<KvCache> create(const KvShape& shape, std::int64_t capacity_tokens,
                                tensor::Device& device);

  std::int64_t capacity() const { return capacity_; }  // in tokens

  // Tokens that attention reads when `used` are stored: the next multiple of kBlockTokens.
  static std::int64_t padded(std::int64_t used) {
    return (used + kBlockTokens - 1) / kBlockTokens * kBlockTokens;
  }

  // Call before a graph that reads padded(used) tokens: rows never written hold zeros, because a
  // masked NaN would still spoil a sum.
  void prepare(std::int64_t used);

  // [head_dim * num_key_value_heads, capacity]
  ggml_tensor* keys(std::size_t layer) const { return keys_[layer]; }
  ggml_tensor* values(std::size_t layer) const { return values_[layer]; }

 private:
  std::int64_t capacity_ = 0;
  std::int64_t cleared_ = 0;
  tensor::ContextPtr context_;
  tensor::BufferPtr buffer_;
  std::vector<ggml_tensor*> keys_;
  std::vector<ggml_tensor*> values_;
};

}  // namespace tru::model
