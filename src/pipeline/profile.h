// Profiles and settings -> the parameters that a video is planned with.
#pragma once

#include "pipeline/question.h"

namespace tru::pipeline {

// quick, balanced and detailed are budgets: at most this many frames per second and pixels per
// frame, and at most this many visual tokens for all videos of the question together.
struct Budget {
  double fps = 2;
  std::int64_t max_pixels = 262144;
  std::int64_t visual_tokens = 4096;
};

// Nothing for the profiles without a budget.
std::optional<Budget> budget_of(Profile profile);

// Parameters for one video. visual_tokens: its share of the budget, if the profile has one.
// Explicit values of the request always win.
media::VideoParams resolve(const VideoRequest& request, const VideoDefaults& defaults,
                           const backend::VisionLimits& vision,
                           std::optional<std::int64_t> visual_tokens);

// Bounds for one image of a question that has no video; beside a video, images keep the
// checkpoint's own limits.
media::PixelBounds image_bounds(const VideoRequest& request, const VideoDefaults& defaults,
                                const backend::VisionLimits& vision, bool beside_video);

}  // namespace tru::pipeline
