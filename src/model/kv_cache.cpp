#include "model/kv_cache.h"

#include "base/assert.h"

namespace tru::model {

Result<KvCache> KvCache::create(const KvShape& shape, std::int64_t capacity_tokens,
                                tensor::Device& device) {
  KvCache cache;
  cache.capacity_ = padded(capacity_tokens);
  cache.context_ = tensor::make_context(static_cast<std::size_t>(2 * shape.layers));
  const ggml_type type = shape.f32 ? GGML_TYPE_F32 : GGML_TYPE_F16;
  const std::int64_t width = shape.num_key_value_heads * shape.head_dim;
  for (std::int64_t i = 0; i < shape.layers; ++i) {
    cache.keys_.push_back(ggml_new_tensor_2d(cache.context_.get(), type, width, cache.capacity_));
    cache.values_.push_back(ggml_new_tensor_2d(cache.context_.get(), type, width, cache.capacity_));
  }
  auto buffer = device.allocate(cache.context_.get());
  if (!buffer) {
    return fail(ErrorCode::engine_failed,
                "no memory for a context of {} tokens ({} MiB); lower --max-context",
                cache.capacity_,
                static_cast<std::size_t>(cache.capacity_) * shape.bytes_per_token() >> 20);
  }
  cache.buffer_ = std::move(*buffer);
  return cache;
}

void KvCache::prepare(std::int64_t used) {
  const std::int64_t end = padded(used);
  TRU_ASSERT(end <= capacity_);
  if (end <= cleared_) return;
  for (const auto* tensors : {&keys_, &values_}) {
    for (ggml_tensor* tensor : *tensors) {
      ggml_backend_tensor_memset(tensor, 0, static_cast<std::size_t>(cleared_) * tensor->nb[1],
                                 static_cast<std::size_t>(end - cleared_) * tensor->nb[1]);
    }
  }
  cleared_ = end;
}

}  // namespace tru::model
