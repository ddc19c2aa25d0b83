#include "model/qwen3vl/unchanged.h"

#include <gmock/gmock.h>

namespace tru::model::qwen3vl {
namespace {

using testing::ElementsAre;

// Two by three tokens of 4 x 4 pixels.
constexpr int kSide = 4, kWidth = 12, kHeight = 8;
const PatchShape kShape{.patch_size = 2, .spatial_merge_size = 2};

struct Picture {
  RgbFrame frame{kWidth, kHeight, std::vector<std::uint8_t>(3 * kWidth * kHeight, 100)};

  // Sets a token's pixels.
  Picture& fill(int row, int column, std::uint8_t value) {
    for (int y = row * kSide; y < (row + 1) * kSide; ++y) {
      for (int i = 3 * column * kSide; i < 3 * (column + 1) * kSide; ++i) {
        frame.pixels[static_cast<std::size_t>(y * 3 * kWidth + i)] = value;
      }
    }
    return *this;
  }
};

FramePair pair(const Picture& first, const Picture& second) {
  return {std::make_shared<RgbFrame>(first.frame), std::make_shared<RgbFrame>(second.frame)};
}

TEST(UnchangedTokens, KeepsTheFirstAndThenWhatChanges) {
  UnchangedTokens tokens(kShape);
  Picture picture;
  EXPECT_THAT(tokens.next(pair(picture, picture)), testing::Each(true));
  EXPECT_THAT(tokens.next(pair(picture, picture)), testing::Each(false));
  const Picture other = Picture(picture).fill(1, 2, 140);
  // In the second frame only: the temporal patch has changed.
  EXPECT_THAT(tokens.next(pair(picture, other)),
              ElementsAre(false, false, false, false, false, true));
  EXPECT_THAT(tokens.next(pair(picture, other)), testing::Each(false));
  EXPECT_THAT(tokens.next(pair(other, Picture(other).fill(0, 1, 0))),
              ElementsAre(false, true, false, false, false, true));
}

TEST(UnchangedTokens, NoiseIsNoChangeButASlowFadeIs) {
  UnchangedTokens tokens(kShape);
  Picture picture;
  tokens.next(pair(picture, picture));
  Picture noisy = picture;
  for (std::size_t i = 0; i < noisy.frame.pixels.size(); ++i) noisy.frame.pixels[i] += i % 2;
  EXPECT_THAT(tokens.next(pair(noisy, noisy)), testing::Each(false));
  int kept = 0;
  for (std::uint8_t value = 101; value < 111; ++value) {
    picture.fill(0, 0, value);
    kept += tokens.next(pair(picture, picture))[0];
  }
  EXPECT_EQ(kept, 5) << "every second step is more than one level away";
}

TEST(UnchangedTokens, AnotherSizeStartsAgain) {
  UnchangedTokens tokens(kShape);
  Picture picture;
  tokens.next(pair(picture, picture));
  Picture small;
  small.frame = {4, 4, std::vector<std::uint8_t>(48, 100)};
  EXPECT_THAT(tokens.next(pair(small, small)), ElementsAre(true));
}

TEST(SamePixels, ComparesWhatIsShown) {
  const Picture a, b = Picture(a).fill(0, 0, 101);
  EXPECT_TRUE(same_pixels(pair(a, b), pair(a, b)));
  EXPECT_FALSE(same_pixels(pair(a, b), pair(a, a)));
  EXPECT_FALSE(same_pixels(pair(b, a), pair(a, a)));
}

}  // namespace
}  // namespace tru::model::qwen3vl
