// IEEE half precision where the processor may not know it.
#pragma once

#include <bit>
#include <cstdint>

namespace tru::tensor {
namespace {

[[maybe_unused]] inline float f16_value(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000) << 16;
  const std::uint32_t magnitude = bits & 0x7FFF;
  // Shifted into place, the exponent is 112 too small; the product puts that right, subnormals
  // included.
  const float value = std::bit_cast<float>(magnitude << 13) * 0x1p112f;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) | sign);
}

}  // namespace
}  // namespace tru::tensor
