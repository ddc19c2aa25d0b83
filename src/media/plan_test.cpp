#include "media/plan.h"

#include <gmock/gmock.h>

namespace tru::media {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr PixelBounds kCheckpoint{.shortest_edge = 4096, .longest_edge = 25165824};

struct Clip {
  VideoInfo info;
  std::vector<double> times_s;
};

Clip even_clip(int frames, int fps, int width, int height) {
  Clip clip;
  clip.info.width = width;
  clip.info.height = height;
  clip.info.fps = {fps, 1};
  clip.info.sampling_fps = fps;
  clip.info.frames_total = frames;
  clip.info.duration_s = double(frames) / fps;
  for (int i = 0; i < frames; ++i) clip.times_s.push_back(double(i) / fps);
  return clip;
}

Result<VideoPlan> plan(const Clip& clip, const VideoParams& params) {
  return plan_video(clip.info, clip.times_s, params, {}, kCheckpoint);
}

std::vector<int> indices(const VideoPlan& plan) {
  std::vector<int> indices;
  for (const PlannedFrame& frame : plan.frames) indices.push_back(frame.index);
  return indices;
}

TEST(Plan, CutsWhatTheReferenceCuts) {
  const auto result = plan(even_clip(72, 24, 322, 178), {});
  EXPECT_THAT(indices(*result), ElementsAre(0, 14, 28, 43, 57, 71));
  EXPECT_EQ(result->size, (FrameSize{320, 192}));
  EXPECT_THAT(result->grid_thw, ElementsAre(3, 12, 20));
  EXPECT_EQ(result->video_tokens, 3 * 6 * 10);
  EXPECT_THAT(result->limits, IsEmpty());
  EXPECT_EQ(result->timestamps_s.size(), 3u);
}

TEST(Plan, OneFrameIsShownTwice) {
  const auto one = plan(even_clip(1, 24, 64, 64), {});
  EXPECT_THAT(indices(*one), ElementsAre(0, 0));
  EXPECT_THAT(one->timestamps_s, ElementsAre(0.0));
  EXPECT_EQ(one->grid_thw[0], 1);
  EXPECT_THAT(indices(*plan(even_clip(50, 25, 64, 64), {.num_frames = 1})), ElementsAre(0, 0));
}

TEST(Plan, OddCountsAreNotPadded) {
  const auto result = plan(even_clip(288, 24, 256, 144), {.num_frames = 7});
  EXPECT_EQ(result->frames.size(), 7u);
  EXPECT_EQ(result->grid_thw[0], 4);
  EXPECT_EQ(result->timestamps_s.back(), 287.0 / 24);
}

TEST(Plan, TrimsByTime) {
  const auto result = plan(even_clip(300, 30, 64, 64), {.start_s = 2, .end_s = 4});
  EXPECT_EQ(result->frames.front().index, 60);
  EXPECT_EQ(result->frames.front().time_s, 2.0);
  EXPECT_EQ(result->frames.back().index, 119);
  EXPECT_EQ(result->frames.size(), 4u);
}

// The file's times say otherwise than number / average rate.
TEST(Plan, TimingChoosesTheClock) {
  Clip clip = even_clip(4, 1, 64, 64);
  clip.times_s = {0, 0.5, 1, 6};
  clip.info.duration_s = 7;
  const auto by_index = plan(clip, {.timing = Timing::index});
  EXPECT_THAT(indices(*by_index), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(by_index->timestamps_s, ElementsAre(0.5, 2.5));
  const auto by_pts = plan(clip, {.timing = Timing::pts});
  EXPECT_THAT(indices(*by_pts), ElementsAre(0, 2, 2, 3));
  EXPECT_THAT(by_pts->timestamps_s, ElementsAre(0.5, 3.5));
}

TEST(Plan, NamesTheLimitsThatBit) {
  const Clip clip = even_clip(288, 24, 640, 352);
  EXPECT_THAT(plan(clip, {.max_frames = 10})->limits, ElementsAre("max_frames"));
  EXPECT_THAT(plan(clip, {.fps = 0.1})->limits, ElementsAre("min_frames"));
  EXPECT_THAT(plan(clip, {.max_pixels = 100000})->limits, ElementsAre("max_pixels"));
  EXPECT_THAT(plan(clip, {.total_pixels = 300000})->limits, ElementsAre("total_pixels"));
  EXPECT_THAT(plan(clip, {.max_pixels = 100000, .total_pixels = 300000})->limits,
              ElementsAre("total_pixels"));
  EXPECT_THAT(plan(clip, {.min_pixels = 400000})->limits, ElementsAre("min_pixels"));
  EXPECT_THAT(plan_video(clip.info, clip.times_s, {}, {}, {4096, 100000})->limits,
              ElementsAre("longest_edge"));
}

TEST(Plan, PixelLimitsArePerFrameAndTotalIsPerClip) {
  const Clip clip = even_clip(288, 24, 640, 352);
  EXPECT_EQ(plan(clip, {.num_frames = 8, .max_pixels = 65536})->size,
            plan(clip, {.num_frames = 8, .total_pixels = 8 * 65536})->size);
}

TEST(Plan, RefusesAbsurdParameters) {
  const Clip clip = even_clip(288, 24, 640, 352);
  const auto message = [&](const VideoParams& params) {
    const auto result = plan(clip, params);
    EXPECT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, ErrorCode::invalid_argument);
    return result.error().message;
  };
  EXPECT_THAT(message({.fps = 2, .num_frames = 4}), HasSubstr("exclude"));
  EXPECT_THAT(message({.fps = 0}), HasSubstr("fps"));
  EXPECT_THAT(message({.fps = -1}), HasSubstr("fps"));
  EXPECT_THAT(message({.fps = std::nan("")}), HasSubstr("fps"));
  EXPECT_THAT(message({.fps = 61}), HasSubstr("60"));
  EXPECT_THAT(message({.num_frames = 0}), HasSubstr("num_frames"));
  EXPECT_THAT(message({.num_frames = 5000}), HasSubstr("2048"));
  EXPECT_THAT(message({.max_frames = -1}), HasSubstr("max_frames"));
  EXPECT_THAT(message({.min_pixels = 0}), HasSubstr("min_pixels"));
  EXPECT_THAT(message({.min_pixels = 2000, .max_pixels = 1000}), HasSubstr("max_pixels"));
  EXPECT_THAT(message({.start_s = -1}), HasSubstr("start"));
  EXPECT_THAT(message({.start_s = 3, .end_s = 2}), HasSubstr("end"));
  EXPECT_THAT(message({.start_s = 12}), HasSubstr("12.000"));
}

TEST(Plan, HugePixelLimitsDoNotOverflow) {
  EXPECT_EQ(plan(even_clip(72, 24, 64, 64), {.max_pixels = INT64_MAX})->size, (FrameSize{64, 64}));
}

}  // namespace
}  // namespace tru::media
