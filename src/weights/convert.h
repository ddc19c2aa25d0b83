// Between the types of weights and float.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "weights/safetensors.h"

namespace tru::weights {

float f16_to_f32(std::uint16_t bits);   // exact
float bf16_to_f32(std::uint16_t bits);  // exact

// To the nearest, ties to even; beyond the range is infinity, a NaN stays a NaN.
std::uint16_t f32_to_f16(float value);
std::uint16_t f32_to_bf16(float value);

// All elements of a tensor in order. The out of the second form has view.num_elements() floats.
std::vector<float> to_f32(const TensorView& view);
void to_f32(const TensorView& view, std::span<float> out);

}  // namespace tru::weights
