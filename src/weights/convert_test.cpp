#include "weights/convert.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace tru::weights {
namespace {

using testing::ElementsAre;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(Convert, KnownHalves) {
  EXPECT_EQ(f16_to_f32(0x3C00), 1.0f);
  EXPECT_EQ(f16_to_f32(0xC000), -2.0f);
  EXPECT_EQ(f16_to_f32(0x7BFF), 65504.0f);
  EXPECT_EQ(f16_to_f32(0x0400), 0x1p-14f);
  EXPECT_EQ(f16_to_f32(0x0001), 0x1p-24f);
  EXPECT_EQ(f16_to_f32(0xFC00), -kInfinity);
  EXPECT_TRUE(std::isnan(f16_to_f32(0x7E01)));
  EXPECT_TRUE(std::signbit(f16_to_f32(0x8000)));
  EXPECT_EQ(bf16_to_f32(0x3F80), 1.0f);
  EXPECT_EQ(bf16_to_f32(0xC049), -3.140625f);
}

TEST(Convert, SixteenBitValuesSurviveTheRoundTrip) {
  for (std::uint32_t i = 0; i <= 0xFFFF; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    if (std::isnan(f16_to_f32(bits))) {
      EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(f16_to_f32(bits)))));
    } else {
      ASSERT_EQ(f32_to_f16(f16_to_f32(bits)), bits);
    }
    if (std::isnan(bf16_to_f32(bits))) {
      EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(bf16_to_f32(bits)))));
    } else {
      ASSERT_EQ(f32_to_bf16(bf16_to_f32(bits)), bits);
    }
  }
}

// Rounding, the slow way: the nearer of the two neighbours among all finite values of a 16-bit
// type, the one with an even pattern at a tie. Patterns of non-negative values are in their order.
template <float (*widen)(std::uint16_t)>
std::uint16_t nearest(float value, std::uint16_t infinity) {
  const double magnitude = std::fabs(value);
  std::uint16_t low = 0;
  for (std::uint16_t step = 0x4000; step > 0; step /= 2) {
    const std::uint16_t next = low + step;
    if (next < infinity && widen(next) <= magnitude) low = next;
  }
  const std::uint16_t high = low + 1;
  // Above the largest stands the power of two that would follow.
  const double last = widen(infinity - 1), before = widen(infinity - 2);
  const double above = high == infinity ? last + (last - before) : widen(high);
  const double to_low = magnitude - widen(low), to_high = above - magnitude;
  const bool up = to_high < to_low || (to_high == to_low && low % 2 == 1);
  return (std::signbit(value) ? 0x8000 : 0) | (up ? high : low);
}

TEST(Convert, RoundsToTheNearestWithTiesToEven) {
  std::mt19937 random(1);
  for (int i = 0; i < 200000; ++i) {
    // Half of the patterns end in a tie of either type.
    std::uint32_t bits = random();
    if (i % 4 == 0) bits = (bits & 0xFFFF0000) | 0x8000;
    if (i % 4 == 1) bits = (bits & 0xFFFFE000) | 0x1000;
    // Every other one has an exponent near those of halves.
    if (i % 8 < 4) bits = (bits & 0x807FFFFF) | ((100 + random() % 45) << 23);
    const float value = std::bit_cast<float>(bits);
    if (!std::isfinite(value)) continue;
    ASSERT_EQ(f32_to_f16(value), nearest<f16_to_f32>(value, 0x7C00)) << value;
    ASSERT_EQ(f32_to_bf16(value), nearest<bf16_to_f32>(value, 0x7F80)) << value;
  }
  EXPECT_EQ(f32_to_f16(kInfinity), 0x7C00);
  EXPECT_EQ(f32_to_bf16(-kInfinity), 0xFF80);
  // A NaN whose payload lies in the bits that are cut off.
  EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(std::bit_cast<float>(0x7F800001)))));
}

TEST(Convert, TensorsOfAllTypesEvenIfMisaligned) {
  const unsigned char bytes[] = {0, 0x00, 0x3C, 0x00, 0xC0, 0x80, 0x3F, 0x49, 0xC0};
  const std::span<const std::byte> all = std::as_bytes(std::span(bytes));
  TensorView view{.name = "t", .dtype = Dtype::f16, .shape = {2}, .data = all.subspan(1, 4)};
  EXPECT_THAT(to_f32(view), ElementsAre(1.0f, -2.0f));
  view.dtype = Dtype::bf16;
  view.data = all.subspan(5, 4);
  EXPECT_THAT(to_f32(view), ElementsAre(1.0f, -3.140625f));
  view.dtype = Dtype::f32;
  view.shape = {1};
  view.data = all.subspan(3, 4);
  EXPECT_THAT(to_f32(view), ElementsAre(std::bit_cast<float>(0x3F80C000)));
  view.shape = {0};
  view.data = {};
  EXPECT_THAT(to_f32(view), ElementsAre());
}

// Each kind of blocks comes back near to the numbers it was made from.
TEST(Convert, ReadsEveryKindOfBlocks) {
  std::vector<float> values(512);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = std::sin(static_cast<float>(i) * 0.37f);
  }
  constexpr std::pair<Dtype, float> kLargestError[] = {
      {Dtype::f32, 0.0f},   {Dtype::f16, 5e-4f},  {Dtype::bf16, 4e-3f}, {Dtype::q8_0, 0.005f},
      {Dtype::q4_0, 0.13f}, {Dtype::q4_1, 0.07f}, {Dtype::q5_0, 0.07f}, {Dtype::q5_1, 0.035f},
      {Dtype::q2_k, 0.4f},  {Dtype::q3_k, 0.3f},  {Dtype::q4_k, 0.1f},  {Dtype::q5_k, 0.05f},
      {Dtype::q6_k, 0.04f}};
  for (const auto& [dtype, largest_error] : kLargestError) {
    // As in a file: at a multiple of 8 bytes.
    std::vector<std::uint64_t> memory(512);
    const std::size_t size = size_bytes(dtype, 512);
    EXPECT_EQ(ggml_quantize_chunk(to_ggml(dtype), values.data(), memory.data(), 0, 2, 256, nullptr),
              size);
    const TensorView view{.name = "t",
                          .dtype = dtype,
                          .shape = {2, 256},
                          .data = std::as_bytes(std::span(memory)).first(size)};
    const std::vector<float> read = to_f32(view);
    ASSERT_EQ(read.size(), 512u);
    float error = 0;
    for (std::size_t i = 0; i < 512; ++i) error = std::max(error, std::fabs(read[i] - values[i]));
    EXPECT_LE(error, largest_error) << to_string(dtype);
    EXPECT_GE(error, largest_error / 8) << to_string(dtype);  // no format is finer than it is
  }
}

}  // namespace
}  // namespace tru::weights
