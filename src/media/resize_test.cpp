#include "media/resize.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "media/orientation.h"
#include "media/rgb_frame.h"

namespace tru::media {
namespace {

RgbFrame noise(int width, int height, unsigned seed) {
  std::mt19937 random(seed);
  RgbFrame frame = blank_frame(width, height);
  for (std::uint8_t& pixel : frame.pixels) pixel = static_cast<std::uint8_t>(random() >> 13);
  return frame;
}

// A checkerboard of squares: the sharp edges that overshoot.
RgbFrame checkerboard(int width, int height, int square) {
  RgbFrame frame = blank_frame(width, height);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c)
        frame.pixels[3 * (std::size_t(y) * width + x) + c] =
            (x / square + y / square + (c == 1)) % 2 == 0 ? 255 : 0;
  return frame;
}

// On a machine without AVX2 there is nothing to compare.
TEST(Resize, VectorCodeGivesThePlainResult) {
  const FrameSize sizes[] = {{1, 1},   {1, 50},  {50, 1},  {2, 3},    {5, 4},     {7, 9},
                             {31, 33}, {64, 64}, {97, 61}, {160, 96}, {321, 179}, {640, 8}};
  const FrameSize targets[] = {{1, 1}, {3, 2}, {32, 32}, {33, 65}, {96, 160}, {320, 192}};
  for (const FrameSize size : sizes)
    for (const FrameSize target : targets)
      for (const RgbFrame& frame :
           {noise(size.width, size.height, 7), checkerboard(size.width, size.height, 3)}) {
        const RgbFrame plain = resize_bicubic(frame, target, ResizeKernel::plain);
        ASSERT_EQ(resize_bicubic(frame, target).pixels, plain.pixels)
            << size.width << "x" << size.height << " to " << target.width << "x" << target.height;
      }
}

TEST(Resize, TheSameSizeIsTheSamePicture) {
  const RgbFrame frame = noise(37, 21, 1);
  EXPECT_EQ(resize_bicubic(frame, {37, 21}).pixels, frame.pixels);
}

TEST(Resize, AConstantPictureStaysConstant) {
  RgbFrame frame = blank_frame(123, 77);
  std::fill(frame.pixels.begin(), frame.pixels.end(), std::uint8_t{201});
  for (const FrameSize size : {FrameSize{32, 32}, FrameSize{352, 224}})
    EXPECT_THAT(resize_bicubic(frame, size).pixels, testing::Each(201));
}

// One pass along rows in floating point, rounded to bytes: the filter by its definition.
RgbFrame filter_rows(const RgbFrame& from, int width) {
  const auto keys = [](double x) {
    x = std::fabs(x);
    if (x < 1) return 1.5 * x * x * x - 2.5 * x * x + 1;
    return x < 2 ? -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2 : 0;
  };
  const double scale = double(from.width) / width;
  const double stretch = std::max(scale, 1.0);
  RgbFrame to = blank_frame(width, from.height);
  for (int o = 0; o < width; ++o)
    for (int y = 0; y < from.height; ++y)
      for (int c = 0; c < 3; ++c) {
        double sum = 0, weights = 0;
        for (int x = 0; x < from.width; ++x) {
          const double weight = keys((x + 0.5 - (o + 0.5) * scale) / stretch);
          sum += weight * from.pixels[3 * (std::size_t(y) * from.width + x) + c];
          weights += weight;
        }
        to.pixels[3 * (std::size_t(y) * width + o) + c] =
            static_cast<std::uint8_t>(std::lround(std::clamp(sum / weights, 0.0, 255.0)));
      }
  return to;
}

TEST(Resize, IsTheCubicFilterOfTwoRoundedPasses) {
  constexpr Orientation kTransposed{.transpose = true};
  for (const FrameSize size : {FrameSize{96, 64}, FrameSize{320, 256}, FrameSize{32, 224}})
    for (const RgbFrame& frame : {checkerboard(200, 120, 7), noise(61, 147, 3)}) {
      const RgbFrame wide = filter_rows(frame, size.width);
      const RgbFrame expected =
          orient(filter_rows(orient(wide, kTransposed), size.height), kTransposed);
      const RgbFrame actual = resize_bicubic(frame, size);
      int largest = 0;
      for (std::size_t i = 0; i < expected.pixels.size(); ++i)
        largest = std::max(largest, std::abs(expected.pixels[i] - actual.pixels[i]));
      EXPECT_LE(largest, 1);
    }
}

// A picture whose pixels are their own numbers, row by row.
RgbFrame numbered(int width, int height) {
  RgbFrame frame = blank_frame(width, height);
  for (std::size_t i = 0; i < frame.pixels.size(); ++i)
    frame.pixels[i] = static_cast<std::uint8_t>(i / 3);
  return frame;
}

std::vector<int> first_channel(const RgbFrame& frame) {
  std::vector<int> values;
  for (std::size_t i = 0; i < frame.pixels.size(); i += 3) values.push_back(frame.pixels[i]);
  return values;
}

TEST(Orientation, TurnsAsExifSays) {
  // 0 1 2
  // 3 4 5
  const auto turned = [](int exif) {
    return first_channel(orient(numbered(3, 2), orientation_of_exif(exif)));
  };
  using testing::ElementsAre;
  EXPECT_THAT(turned(1), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(turned(2), ElementsAre(2, 1, 0, 5, 4, 3));
  EXPECT_THAT(turned(3), ElementsAre(5, 4, 3, 2, 1, 0));
  EXPECT_THAT(turned(4), ElementsAre(3, 4, 5, 0, 1, 2));
  EXPECT_THAT(turned(5), ElementsAre(0, 3, 1, 4, 2, 5));
  EXPECT_THAT(turned(6), ElementsAre(3, 0, 4, 1, 5, 2));
  EXPECT_THAT(turned(7), ElementsAre(5, 2, 4, 1, 3, 0));
  EXPECT_THAT(turned(8), ElementsAre(2, 5, 1, 4, 0, 3));
  EXPECT_THAT(turned(99), ElementsAre(0, 1, 2, 3, 4, 5));
}

TEST(Orientation, ReadsTheTrackMatrix) {
  constexpr std::int32_t one = 1 << 16;
  const auto of = [](std::int32_t a, std::int32_t b, std::int32_t c, std::int32_t d) {
    return orientation_of_matrix({a, b, 0, c, d, 0, 0, 0, 1 << 30});
  };
  EXPECT_TRUE(of(one, 0, 0, one).upright());
  EXPECT_EQ(of(0, one, -one, 0).rotation_deg(), 90);
  EXPECT_EQ(of(-one, 0, 0, -one).rotation_deg(), 180);
  EXPECT_EQ(of(0, -one, one, 0).rotation_deg(), 270);
  EXPECT_EQ(of(0, one, -one, 0), orientation_of_exif(6));
  EXPECT_EQ(of(0, -one, one, 0), orientation_of_exif(8));
}

}  // namespace
}  // namespace tru::media
