#include "weights/convert.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "base/assert.h"

namespace tru::weights {
namespace {

// The same as bf16_to_f32, for loops: a function that others may replace is not inlined.
inline float widen_bf16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

// Reads by memcpy because the data of a tensor need not be aligned.
template <float (*convert)(std::uint16_t)>
void convert_all(std::span<const std::byte> data, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::uint16_t bits;
    std::memcpy(&bits, data.data() + i * sizeof(bits), sizeof(bits));
    out[i] = convert(bits);
  }
}

}  // namespace

float bf16_to_f32(std::uint16_t bits) {
  return widen_bf16(bits);
}

float f16_to_f32(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1F;
  const std::uint32_t mantissa = bits & 0x3FF;
  if (exponent == 0) {  // zero or subnormal: mantissa * 2^-24
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  // Exponents are biased by 15 here and by 127 in float; all ones is infinity or NaN in both.
  const std::uint32_t wide = exponent == 0x1F ? 0xFF : exponent + (127 - 15);
  return std::bit_cast<float>(sign | wide << 23 | mantissa << 13);
}

std::uint16_t f32_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>(bits >> 16 | 0x40);  // stays quiet
  // Half of the last kept bit, less one where that bit is even; a carry moves the exponent on.
  return static_cast<std::uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

std::uint16_t f32_to_f16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000);
  if (std::isnan(value)) return sign | 0x7E00;
  const float magnitude = std::fabs(value);
  if (magnitude >= 65520.0f) return sign | 0x7C00;  // halfway from the largest to 2^16, and more
  if (magnitude < 0x1p-14f) {  // subnormal: a multiple of 2^-24, rounded by the float addition
    const float shifted = magnitude + 0.5f;  // the last bit of a float in [0.5, 1) is 2^-24
    return sign | static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(shifted) & 0x7FFF);
  }
  const std::uint32_t positive = bits & 0x7FFFFFFF;
  const std::uint32_t rounded = positive + 0xFFF + (positive >> 13 & 1);
  return sign | static_cast<std::uint16_t>((rounded >> 13) - ((127 - 15) << 10));
}

void to_f32(const TensorView& view, std::span<float> out) {
  TRU_ASSERT(out.size() == static_cast<std::size_t>(view.num_elements()));
  switch (view.dtype) {
    case Dtype::f32:
      if (!out.empty()) std::memcpy(out.data(), view.data.data(), view.data.size());
      break;
    case Dtype::f16:
      convert_all<f16_to_f32>(view.data, out);
      break;
    case Dtype::bf16:
      convert_all<widen_bf16>(view.data, out);
      break;
    default:  // GGUF files keep their blocks aligned
      TRU_ASSERT(view.is_aligned());
      ggml_get_type_traits(to_ggml(view.dtype))
          ->to_float(view.data.data(), out.data(), view.num_elements());
  }
}

std::vector<float> to_f32(const TensorView& view) {
  std::vector<float> out(static_cast<std::size_t>(view.num_elements()));
  to_f32(view, out);
  return out;
}

}  // namespace tru::weights
