// Vectors of floats that every compiler target has: four lanes, by the compiler's own vector types.
// Floats of the other levels have the same members; float_math.h and the kernels are written over
// them. Operators + - * / work on all of them.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tensor/kernels/f16.h"

namespace tru::tensor {
namespace {

struct FloatsPortable {
  typedef float Float __attribute__((vector_size(16)));
  typedef std::int32_t Int __attribute__((vector_size(16)));
  static constexpr std::int64_t kLanes = 4;

  static Float load(const float* p) {
    Float value;
    std::memcpy(&value, p, sizeof value);
    return value;
  }
  static Float load_f16(const std::byte* p) {
    std::uint16_t bits[kLanes];
    std::memcpy(bits, p, sizeof bits);
    return Float{f16_value(bits[0]), f16_value(bits[1]), f16_value(bits[2]), f16_value(bits[3])};
  }
  static void store(float* p, Float value) { std::memcpy(p, &value, sizeof value); }
  static Float set1(float value) { return Float{value, value, value, value}; }
  // a * b + c
  static Float fma(Float a, Float b, Float c) { return a * b + c; }
  static Float max(Float a, Float b) { return a > b ? a : b; }
  static Float min(Float a, Float b) { return a < b ? a : b; }
  static Float abs(Float x) { return std::bit_cast<Float>(std::bit_cast<Int>(x) & 0x7FFFFFFF); }
  // To the nearest integer, for |x| < 2^22.
  static Float round(Float x) {
    constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it leaves round(x) in the low bits
    return (x + kRound) - kRound;
  }
  // x * 2^n for integers n in [-126, 127].
  static Float scale(Float x, Float n) {
    const Int power = (__builtin_convertvector(n, Int) + 127) << 23;
    return x * std::bit_cast<Float>(power);
  }
  static float sum(Float x) { return (x[0] + x[1]) + (x[2] + x[3]); }
  static float largest(Float x) { return std::max(std::max(x[0], x[1]), std::max(x[2], x[3])); }
  // Integers in [-127, 127], as bytes.
  static void store_rounded(std::int8_t* p, Float x) {
    const Int values = __builtin_convertvector(x, Int);
    for (int i = 0; i < 4; ++i) p[i] = static_cast<std::int8_t>(values[i]);
  }
};

}  // namespace
}  // namespace tru::tensor
