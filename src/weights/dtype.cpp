#include "weights/dtype.h"

#include "base/assert.h"

namespace tru::weights {
namespace {

struct Row {
  Dtype dtype;
  ggml_type type;
  std::string_view name;
};

// In the order of Dtype.
constexpr Row kRows[] = {
    {Dtype::f32, GGML_TYPE_F32, "F32"},    {Dtype::f16, GGML_TYPE_F16, "F16"},
    {Dtype::bf16, GGML_TYPE_BF16, "BF16"}, {Dtype::q8_0, GGML_TYPE_Q8_0, "Q8_0"},
    {Dtype::q4_0, GGML_TYPE_Q4_0, "Q4_0"}, {Dtype::q4_1, GGML_TYPE_Q4_1, "Q4_1"},
    {Dtype::q5_0, GGML_TYPE_Q5_0, "Q5_0"}, {Dtype::q5_1, GGML_TYPE_Q5_1, "Q5_1"},
    {Dtype::q2_k, GGML_TYPE_Q2_K, "Q2_K"}, {Dtype::q3_k, GGML_TYPE_Q3_K, "Q3_K"},
    {Dtype::q4_k, GGML_TYPE_Q4_K, "Q4_K"}, {Dtype::q5_k, GGML_TYPE_Q5_K, "Q5_K"},
    {Dtype::q6_k, GGML_TYPE_Q6_K, "Q6_K"},
};

const Row& row(Dtype dtype) {
  const Row& found = kRows[static_cast<std::size_t>(dtype)];
  TRU_ASSERT(found.dtype == dtype);
  return found;
}

}  // namespace

ggml_type to_ggml(Dtype dtype) {
  return row(dtype).type;
}

std::optional<Dtype> from_ggml(std::uint32_t type) {
  for (const Row& candidate : kRows) {
    if (static_cast<std::uint32_t>(candidate.type) == type) return candidate.dtype;
  }
  return std::nullopt;
}

std::string_view to_string(Dtype dtype) {
  return row(dtype).name;
}

std::int64_t block_elements(Dtype dtype) {
  return ggml_blck_size(to_ggml(dtype));
}

bool is_quantised(Dtype dtype) {
  return ggml_is_quantized(to_ggml(dtype));
}

std::size_t size_bytes(Dtype dtype, std::int64_t num_elements) {
  return ggml_row_size(to_ggml(dtype), num_elements);
}

std::size_t alignment_bytes(Dtype dtype) {
  return is_quantised(dtype) ? 4 : ggml_type_size(to_ggml(dtype));
}

}  // namespace tru::weights
