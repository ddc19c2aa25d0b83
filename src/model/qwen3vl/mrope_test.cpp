#include "model/qwen3vl/mrope.h"

#include <gmock/gmock.h>

namespace tru::model::qwen3vl {
namespace {

using testing::ElementsAre;

TEST(PositionCounter, TextAdvancesAllAxesAndPicturesTheirLongerSide) {
  PositionCounter counter;
  Positions positions;
  counter.add_text(2, positions);
  counter.add_visual(2, 3, positions);
  counter.add_text(1, positions);
  EXPECT_THAT(positions.axes[0], ElementsAre(0, 1, 2, 2, 2, 2, 2, 2, 5));
  EXPECT_THAT(positions.axes[1], ElementsAre(0, 1, 2, 2, 2, 3, 3, 3, 5));
  EXPECT_THAT(positions.axes[2], ElementsAre(0, 1, 2, 3, 4, 2, 3, 4, 5));
  EXPECT_EQ(counter.next(), 6);
  counter.add_visual(4, 1, positions);
  EXPECT_EQ(counter.next(), 10);
}

TEST(PositionCounter, CutsDoNotMatter) {
  PositionCounter whole, cut;
  Positions at_once, pieces;
  whole.add_text(7, at_once);
  for (const int tokens : {3, 0, 4}) cut.add_text(tokens, pieces);
  EXPECT_EQ(at_once.axes, pieces.axes);
}

}  // namespace
}  // namespace tru::model::qwen3vl
