#include "backend/native_prompt.h"

#include <gmock/gmock.h>

#include "backend/native_planner.h"

namespace tru::backend {
namespace {

using testing::ElementsAre;

constexpr text::TokenId kPad = 99;

// Gives so many pairs, then the end or an error.
class CountedFrames : public FrameSource {
 public:
  explicit CountedFrames(int pairs, bool fails = false) : left_(pairs), fails_(fails) {}

  Result<std::optional<FramePair>> next(std::stop_token) override {
    if (left_-- > 0) {
      const auto frame = std::make_shared<const RgbFrame>(RgbFrame{32, 32, {}});
      return FramePair{frame, frame};
    }
    if (fails_) return fail(ErrorCode::media_unreadable, "no frame could be decoded");
    EXPECT_EQ(left_, -1) << "asked again after the end";
    return std::optional<FramePair>();
  }

 private:
  int left_;
  bool fails_;
};

struct ProgressLog : AnswerListener {
  void on_progress(Stage stage, std::int64_t done, std::int64_t total) override {
    EXPECT_EQ(stage, Stage::decode);
    progress.emplace_back(done, total);
  }
  void on_text(std::string_view) override {}
  std::vector<std::pair<std::int64_t, std::int64_t>> progress;
};

// Two videos of three and one temporal patches of 32 x 64 pixels (two tokens), then a question.
// Every segment begins with its own timestamp token.
NativePrompt two_videos() {
  std::vector<text::PromptSegment> segments;
  for (int patch = 0; patch < 3; ++patch) {
    segments.push_back({{10 + patch, 1}, text::VisualSpan{0, patch, 2, kPad}});
  }
  segments.push_back({{2, 20, 1}, text::VisualSpan{1, 0, 2, kPad}});
  segments.push_back({{2, 3}, std::nullopt});
  const MediaShape first{text::PartKind::video, {3, 2, 4}, {0, 1, 2}};
  const MediaShape second{text::PartKind::video, {1, 2, 4}, {0}};
  return {std::move(segments), {first, second}};
}

Result<std::vector<std::vector<std::int32_t>>> read(const NativePrompt& prompt, CountedFrames first,
                                                    CountedFrames second, ProgressLog& log) {
  const std::vector<FrameSource*> frames = {&first, &second};
  NativePromptSource source(prompt, frames, log);
  std::vector<std::vector<std::int32_t>> segments;
  while (true) {
    TRU_TRY(const auto segment, source.next({}));
    if (!segment) return segments;
    segments.push_back(segment->ids);
    if (!segment->visual) continue;
    EXPECT_EQ(segment->visual->grid_thw, (model::qwen3vl::GridTHW{1, 2, 4}));
    EXPECT_EQ(segment->visual->offset + 2, static_cast<std::int64_t>(segment->ids.size()));
    EXPECT_NE(segment->frames.first, nullptr);
  }
}

TEST(NativePrompt, CountsTextAndPads) {
  const NativePrompt prompt = two_videos();
  EXPECT_EQ(prompt.num_tokens(), 3 * 4 + 5 + 2);
  EXPECT_EQ(prompt.num_visual_spans(), 4);
}

TEST(NativePromptSource, GivesEverySegmentItsFrames) {
  ProgressLog log;
  const auto segments = read(two_videos(), CountedFrames(3), CountedFrames(1), log);
  ASSERT_TRUE(segments);
  EXPECT_THAT(*segments, ElementsAre(ElementsAre(10, 1, kPad, kPad), ElementsAre(11, 1, kPad, kPad),
                                     ElementsAre(12, 1, kPad, kPad),
                                     ElementsAre(2, 20, 1, kPad, kPad), ElementsAre(2, 3)));
  EXPECT_THAT(log.progress,
              ElementsAre(std::pair(1, 4), std::pair(2, 4), std::pair(3, 4), std::pair(4, 4)));
}

// The prompt of a video that ends early is that of a shorter video.
TEST(NativePromptSource, LeavesOutWhatIsNotThere) {
  NativeConfig config;
  config.model = TRU_TEST_DATA "/models/dense-tied";
  const auto planner = NativePlanner::load(config);
  ASSERT_TRUE(planner) << planner.error().message;
  using text::PartKind;
  const std::vector<text::Message> messages = {{"user",
                                                {{PartKind::text, "Compare ", 0},
                                                 {PartKind::video, "", 0},
                                                 {PartKind::text, " with ", 0},
                                                 {PartKind::video, "", 1},
                                                 {PartKind::text, "What changes?", 0}}}};
  const MediaShape long_video{PartKind::video, {3, 2, 4}, {0.25, 1.25, 2.25}};
  const MediaShape short_video{PartKind::video, {1, 2, 4}, {0.25}};
  const auto planned = planner->build_prompt(messages, {long_video, long_video});
  const auto seen = planner->build_prompt(messages, {short_video, long_video});
  ASSERT_TRUE(planned && seen);

  ProgressLog log;
  const auto segments =
      read(dynamic_cast<const NativePrompt&>(**planned), CountedFrames(1), CountedFrames(3), log);
  ASSERT_TRUE(segments);
  std::vector<std::int32_t> ids;
  for (const auto& segment : *segments) ids.insert(ids.end(), segment.begin(), segment.end());
  EXPECT_EQ(ids, text::prompt_token_ids(dynamic_cast<const NativePrompt&>(**seen).segments()));
  EXPECT_EQ(log.progress.size(), 4u);
}

TEST(NativePromptSource, AFailingSourceEndsThePrompt) {
  ProgressLog log;
  const auto segments = read(two_videos(), CountedFrames(1, true), CountedFrames(1), log);
  ASSERT_FALSE(segments);
  EXPECT_EQ(segments.error().code, ErrorCode::media_unreadable);
}

}  // namespace
}  // namespace tru::backend
