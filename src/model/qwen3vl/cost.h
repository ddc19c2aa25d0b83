// Arithmetic and memory of a request, from shapes alone.
#pragma once

#include <cstdint>

#include "model/kv_cache.h"
#include "model/qwen3vl/patches.h"
#include "weights/config.h"
#include "weights/loader.h"

namespace tru::model::qwen3vl {

KvShape kv_shape(const weights::TextConfig& config, weights::WeightFormat format);

// Multiplications and additions, each counted once, of matrix products and attention.
double vision_flop(const weights::VisionConfig& config, const GridTHW& grid);
double prefill_flop(const weights::TextConfig& config, std::int64_t tokens);

// Of weights that one token's forward pass reads.
double bytes_per_generated_token(const weights::TextConfig& config, double bytes_per_weight);

// Intermediate results at their widest, for frames of `patches` patches and a prompt of `tokens`.
std::size_t working_bytes(const weights::ModelConfig& config, std::int64_t patches,
                          std::int64_t tokens);

// Of all weights when they are converted (not when they are mapped), with this many bytes for each
// of the language model and of the vision encoder.
std::size_t converted_bytes(const weights::ModelConfig& config, double language, double vision);

}  // namespace tru::model::qwen3vl
