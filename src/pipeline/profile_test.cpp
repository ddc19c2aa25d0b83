#include "pipeline/profile.h"

#include <gmock/gmock.h>

namespace tru::pipeline {
namespace {

const backend::VisionLimits kVision = {.image_min_pixels = 65536,
                                       .image_max_pixels = 16777216,
                                       .video_min_pixels = 4096,
                                       .video_max_pixels = 25165824};
constexpr int kTokenPixels = 32 * 32 * 2;

TEST(Profile, NamesAreThoseOfTheFlag) {
  EXPECT_EQ(*parse_profile("checkpoint"), Profile::checkpoint);
  EXPECT_EQ(*parse_profile("detailed"), Profile::detailed);
  const auto unknown = parse_profile("best");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message,
              testing::AllOf(testing::HasSubstr("best"), testing::HasSubstr("balanced")));
}

TEST(Profile, WithoutOneTheSettingsFillIn) {
  const VideoDefaults defaults{1.5, 100, 5000, 200000, 3000000};
  const auto params = resolve({}, defaults, kVision, {});
  EXPECT_EQ(params.fps, 1.5);
  EXPECT_EQ(params.max_frames, 100);
  EXPECT_EQ(params.min_pixels, 5000);
  EXPECT_EQ(params.max_pixels, 200000);
  EXPECT_EQ(params.total_pixels, 3000000);
}

TEST(Profile, ExplicitValuesWinAndDefaultsGiveWay) {
  VideoRequest request;
  request.params = {.num_frames = 9, .max_pixels = 1000};
  auto params = resolve(request, {}, kVision, {});
  EXPECT_FALSE(params.fps);
  EXPECT_EQ(params.num_frames, 9);
  EXPECT_EQ(params.max_pixels, 1000);
  EXPECT_EQ(params.min_pixels, 1000);  // the default of 4096 would contradict

  request.params = {.min_pixels = 500000};
  params = resolve(request, {}, kVision, {});
  EXPECT_EQ(params.min_pixels, 500000);
  EXPECT_EQ(params.max_pixels, 500000);
}

TEST(Profile, CheckpointLeavesPixelsToTheCheckpoint) {
  const auto params = resolve({{}, Profile::checkpoint}, {}, kVision, {});
  EXPECT_EQ(params.fps, 2.0);
  EXPECT_EQ(params.max_frames, 768);
  EXPECT_FALSE(params.min_pixels || params.max_pixels || params.total_pixels);
}

TEST(Profile, ABudgetBoundsTheWholeClip) {
  const VideoRequest quick{{}, Profile::quick};
  const Budget budget = *budget_of(Profile::quick);
  auto params = resolve(quick, {}, kVision, {});
  EXPECT_EQ(params.fps, budget.fps);
  EXPECT_EQ(params.total_pixels, budget.visual_tokens * kTokenPixels);
  // A smaller share, as the context left it: fewer frames, none too small to see.
  params = resolve(quick, {}, kVision, 64);
  EXPECT_EQ(params.total_pixels, 64 * kTokenPixels);
  EXPECT_EQ(params.max_frames, 64 * kTokenPixels / (128 * 128));

  VideoRequest explicit_total = quick;
  explicit_total.params.total_pixels = 5000;
  EXPECT_EQ(resolve(explicit_total, {}, kVision, {}).total_pixels, 5000);
  EXPECT_FALSE(budget_of(Profile::checkpoint));
}

TEST(Profile, BudgetsAscend) {
  const Budget quick = *budget_of(Profile::quick);
  const Budget balanced = *budget_of(Profile::balanced);
  const Budget detailed = *budget_of(Profile::detailed);
  EXPECT_LT(quick.visual_tokens, balanced.visual_tokens);
  EXPECT_LT(balanced.visual_tokens, detailed.visual_tokens);
  EXPECT_LE(quick.fps, balanced.fps);
  EXPECT_LE(balanced.max_pixels, detailed.max_pixels);
}

TEST(Profile, ImagesAloneTakeThePixelLimits) {
  VideoRequest request{{.min_pixels = 2000, .max_pixels = 30000}, Profile::checkpoint};
  auto bounds = image_bounds(request, {}, kVision, false);
  EXPECT_EQ(bounds.shortest_edge, 2000);
  EXPECT_EQ(bounds.longest_edge, 30000);
  bounds = image_bounds(request, {}, kVision, true);
  EXPECT_EQ(bounds.shortest_edge, 65536);
  EXPECT_EQ(bounds.longest_edge, 16777216);
  bounds = image_bounds({}, {}, kVision, false);
  EXPECT_EQ(bounds.shortest_edge, 4096);
  EXPECT_EQ(bounds.longest_edge, 262144);
}

}  // namespace
}  // namespace tru::pipeline
