// The number formats that weights have in files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "tensor/graph.h"

namespace tru::weights {

// Plain numbers, then ggml's quantised blocks, which only GGUF files have.
enum class Dtype { f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q2_k, q3_k, q4_k, q5_k, q6_k };

ggml_type to_ggml(Dtype dtype);
std::optional<Dtype> from_ggml(std::uint32_t type);  // by ggml_type's number, as GGUF files have it

std::string_view to_string(Dtype dtype);  // as in the files: F32, BF16, Q4_K

// Rows consist of blocks: of one number, 32 or 256.
std::int64_t block_elements(Dtype dtype);
bool is_quantised(Dtype dtype);

// What this many numbers take, whole blocks of them.
std::size_t size_bytes(Dtype dtype, std::int64_t num_elements);

// Addresses have to be a multiple of this.
std::size_t alignment_bytes(Dtype dtype);

}  // namespace tru::weights
