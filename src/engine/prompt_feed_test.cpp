#include "engine/prompt_feed.h"

#include <gmock/gmock.h>

#include <cmath>

namespace tru::engine {
namespace {

using model::qwen3vl::GridTHW;
using testing::ElementsAre;

constexpr std::int32_t kStart = 7, kPad = 9;
constexpr GridTHW kGrid{1, 4, 4};  // four tokens of 32 x 32 pixels

FramePair picture(int seed) {
  RgbFrame frame{64, 64, std::vector<std::uint8_t>(3 * 64 * 64)};
  for (std::size_t i = 0; i < frame.pixels.size(); ++i) {
    frame.pixels[i] = static_cast<std::uint8_t>(128 + 100 * std::sin(seed + 0.01 * double(i)));
  }
  const auto shared = std::make_shared<const RgbFrame>(std::move(frame));
  return {shared, shared};
}

struct Shown {
  int seed;
  std::vector<bool> kept{};
};

// One segment for each picture: a text token, then its visual tokens.
class Pictures : public PromptSource {
 public:
  explicit Pictures(std::vector<Shown> shown) : shown_(std::move(shown)) {}

  Result<std::optional<PromptSegment>> next(std::stop_token) override {
    if (given_ == shown_.size()) return std::nullopt;
    const Shown& shown = shown_[given_++];
    PromptSegment segment;
    segment.ids = {kStart, kPad, kPad, kPad, kPad};
    segment.visual = {kGrid, 1, shown.kept};
    segment.frames = picture(shown.seed);
    return segment;
  }

 private:
  std::vector<Shown> shown_;
  std::size_t given_ = 0;
};

class PromptFeedTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = weights::Checkpoint::open(TRU_TEST_DATA "/models/dense-tied");
    auto device = tensor::Device::open("cpu", 1);
    ASSERT_TRUE(opened && device);
    device_ = std::make_unique<tensor::Device>(std::move(*device));
    auto model =
        model::qwen3vl::Model::load(std::make_shared<const weights::Checkpoint>(std::move(*opened)),
                                    *device_, weights::WeightFormat::f32);
    ASSERT_TRUE(model) << model.error().message;
    model_ = std::move(*model);
  }

  PromptFeed feed(std::vector<Shown> shown) {
    return PromptFeed(std::make_unique<Pictures>(std::move(shown)), *model_);
  }

  // Embeddings of the batch's visual rows, in their order.
  std::vector<float> embeddings(const PrefillBatch& batch) const {
    const auto hidden = static_cast<std::int64_t>(model_->config().text.hidden_size);
    std::vector<float> values;
    for (const auto& rows : batch.visual) {
      const auto from = rows.features->embeddings.begin() + rows.first_feature * hidden;
      values.insert(values.end(), from, from + rows.count * hidden);
    }
    return values;
  }

  std::unique_ptr<tensor::Device> device_;
  std::unique_ptr<model::qwen3vl::Model> model_;
};

// Attention stays within a temporal patch: what is reused is what would be computed.
TEST_F(PromptFeedTest, PicturesOfTheSamePixelsShareTheirFeatures) {
  auto repeated = feed({{1}, {1}, {2}, {2}, {1}});
  const auto batch = repeated.take(100, {});
  ASSERT_TRUE(batch) << batch.error().message;
  EXPECT_EQ(repeated.spans_encoded(), 5);
  EXPECT_EQ(repeated.spans_reused(), 2);
  std::vector<float> expected;
  for (const int seed : {1, 1, 2, 2, 1}) {
    auto alone = feed({{seed}});
    const auto values = embeddings(alone.take(100, {}).value());
    EXPECT_EQ(alone.spans_reused(), 0);
    expected.insert(expected.end(), values.begin(), values.end());
  }
  EXPECT_EQ(embeddings(*batch), expected);
}

TEST_F(PromptFeedTest, ReuseCrossesBatches) {
  auto feeding = feed({{1}, {1}, {1}});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(feeding.take(5, {})->ids.size(), 5u);
  EXPECT_TRUE(feeding.done());
  EXPECT_EQ(feeding.spans_reused(), 2);
}

// Tokens that are not kept leave the positions of all others as they were.
TEST_F(PromptFeedTest, DroppedTokensLeaveGapsInThePositions) {
  auto whole = feed({{1}, {2}, {3}});
  const auto all = whole.take(100, {}).value();
  auto thinned = feed({{1}, {2, {true, false, false, true}}, {3, {false, false, false, false}}});
  const auto some = thinned.take(100, {}).value();
  EXPECT_THAT(some.ids, ElementsAre(kStart, kPad, kPad, kPad, kPad, kStart, kPad, kPad, kStart));
  const std::size_t kept[] = {0, 1, 2, 3, 4, 5, 6, 9, 10};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    for (std::size_t i = 0; i < std::size(kept); ++i) {
      EXPECT_EQ(some.positions.axes[axis][i], all.positions.axes[axis][kept[i]]);
    }
  }
  EXPECT_EQ(thinned.next_position(), whole.next_position());
  EXPECT_TRUE(thinned.done());
  const auto hidden = static_cast<std::ptrdiff_t>(model_->config().text.hidden_size);
  const auto every = embeddings(all);
  std::vector<float> expected(every.begin(), every.begin() + 5 * hidden);
  expected.insert(expected.end(), every.begin() + 7 * hidden, every.begin() + 8 * hidden);
  EXPECT_EQ(embeddings(some), expected);
}

}  // namespace
}  // namespace tru::engine
