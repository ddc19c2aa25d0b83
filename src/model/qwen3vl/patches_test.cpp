#include "model/qwen3vl/patches.h"

#include <gmock/gmock.h>

#include "model/qwen3vl/vision.h"

namespace tru::model::qwen3vl {
namespace {

using testing::ElementsAre;
using testing::FloatNear;

// Every value tells its place: 3 channels of a frame of 4 x 4 pixels, the second frame 100 higher.
FramePair numbered() {
  auto first = std::make_shared<RgbFrame>(RgbFrame{4, 4, {}});
  for (int i = 0; i < 48; ++i) first->pixels.push_back(static_cast<std::uint8_t>(i));
  auto second = std::make_shared<RgbFrame>(*first);
  for (std::uint8_t& value : second->pixels) value = static_cast<std::uint8_t>(value + 100);
  return {first, second};
}

TEST(PatchPlaces, GoByBlocks) {
  std::vector<std::pair<std::int64_t, std::int64_t>> places;
  for (const PatchPlace& place : patch_places(2, 4, 2)) {
    places.emplace_back(place.row, place.column);
  }
  using P = std::pair<std::int64_t, std::int64_t>;
  EXPECT_THAT(places,
              ElementsAre(P{0, 0}, P{0, 1}, P{1, 0}, P{1, 1}, P{0, 2}, P{0, 3}, P{1, 2}, P{1, 3}));
}

TEST(MakePatches, OrdersByChannelFrameRowColumn) {
  PatchShape shape;
  shape.patch_size = 2;
  shape.image_mean = {0, 0, 0};
  shape.image_std = {1 / 255.0f, 1 / 255.0f, 1 / 255.0f};  // values stay bytes
  std::vector<float> rows(4 * 24);
  make_patches(numbered(), shape, rows);
  // Of the second patch, at column 2: red of both frames, then green of the first.
  const std::vector<float> second(rows.begin() + 24, rows.begin() + 24 + 12);
  EXPECT_THAT(second, ElementsAre(6, 9, 18, 21, 106, 109, 118, 121, 7, 10, 19, 22));
  // The last patch ends with blue of the second frame's last pixel.
  EXPECT_FLOAT_EQ(rows.back(), 147);
}

TEST(MakePatches, NormalisesPerChannel) {
  PatchShape shape;
  shape.patch_size = 2;
  shape.image_mean = {0.5f, 0, 0.25f};
  shape.image_std = {0.5f, 1, 0.25f};
  std::vector<float> rows(4 * 24);
  make_patches(numbered(), shape, rows);
  EXPECT_FLOAT_EQ(rows[0], -1);
  EXPECT_FLOAT_EQ(rows[8], 1 / 255.0f);
  EXPECT_FLOAT_EQ(rows[16], (2 - 63.75f) / 63.75f);
}

// A table of 2 x 2 entries of one column: rows add 10, columns add 1.
TEST(InterpolatePositions, AlignsCorners) {
  const float table[] = {0, 1, 10, 11};
  EXPECT_THAT(interpolate_positions(table, 1, 2, 2, 2), ElementsAre(0, 1, 10, 11));
  // Four columns: 0, 1/3, 2/3, 1, in blocks of 2 x 2.
  const float third = 1 / 3.0f;
  EXPECT_THAT(interpolate_positions(table, 1, 2, 4, 2),
              ElementsAre(0, FloatNear(third, 1e-6), 10, FloatNear(10 + third, 1e-5),
                          FloatNear(2 * third, 1e-6), 1, FloatNear(10 + 2 * third, 1e-5), 11));
  // A single row stands on the table's first.
  EXPECT_THAT(interpolate_positions(table, 1, 1, 2, 1), ElementsAre(0, 1));
}

TEST(InterpolatePositions, KeepsColumnsApart) {
  const float table[] = {0, 5, 1, 6, 10, 15, 11, 16};
  EXPECT_THAT(interpolate_positions(table, 2, 2, 2, 1), ElementsAre(0, 5, 1, 6, 10, 15, 11, 16));
}

}  // namespace
}  // namespace tru::model::qwen3vl
