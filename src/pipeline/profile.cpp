#include "pipeline/profile.h"

#include <algorithm>

namespace tru::pipeline {

Result<Profile> parse_profile(std::string_view name) {
  if (name == "checkpoint") return Profile::checkpoint;
  if (name == "quick") return Profile::quick;
  if (name == "balanced") return Profile::balanced;
  if (name == "detailed") return Profile::detailed;
  return fail(ErrorCode::invalid_argument,
              "profile '{}' is unknown; allowed are checkpoint, quick, balanced, detailed", name);
}

std::optional<Budget> budget_of(Profile profile) {
  switch (profile) {
    case Profile::quick:
      return Budget{1, 131072, 1024};
    case Profile::balanced:
      return Budget{2, 262144, 4096};
    case Profile::detailed:
      return Budget{4, 1048576, 16384};
    case Profile::none:
    case Profile::checkpoint:
      break;
  }
  return std::nullopt;
}

media::VideoParams resolve(const VideoRequest& request, const VideoDefaults& defaults,
                           const backend::VisionLimits& vision,
                           std::optional<std::int64_t> visual_tokens) {
  media::VideoParams params = request.params;
  const std::optional<Budget> budget = budget_of(request.profile);
  if (!params.fps && !params.num_frames) params.fps = budget ? budget->fps : defaults.fps;
  if (!params.max_frames) params.max_frames = defaults.max_frames;
  if (request.profile == Profile::checkpoint) return params;

  // A default gives way to what the request says about the other end.
  const std::int64_t most = budget ? budget->max_pixels : defaults.max_pixels;
  if (!params.min_pixels) {
    params.min_pixels = std::min(defaults.min_pixels, params.max_pixels.value_or(most));
  }
  if (!params.max_pixels) params.max_pixels = std::max(most, *params.min_pixels);
  if (!budget) {
    if (!params.total_pixels) params.total_pixels = defaults.total_pixels;
    return params;
  }
  // One visual token covers this many pixels of the clip.
  const std::int64_t side = vision.patch_size * vision.spatial_merge_size;
  const std::int64_t token_pixels = side * side * vision.temporal_patch_size;
  const std::int64_t total = visual_tokens.value_or(budget->visual_tokens) * token_pixels;
  params.total_pixels = std::min(params.total_pixels.value_or(total), total);
  // Frames that would become too small to see anything are rather left out.
  constexpr std::int64_t kSmallestFrame = 128 * 128;
  const std::int64_t frames = std::clamp<std::int64_t>(total / kSmallestFrame, 2, 2048);
  if (!params.num_frames) {
    params.max_frames = static_cast<int>(std::min<std::int64_t>(*params.max_frames, frames));
  }
  return params;
}

media::PixelBounds image_bounds(const VideoRequest& request, const VideoDefaults& defaults,
                                const backend::VisionLimits& vision, bool beside_video) {
  const media::PixelBounds checkpoint{vision.image_min_pixels, vision.image_max_pixels};
  if (beside_video) return checkpoint;
  const media::VideoParams& params = request.params;
  const std::optional<Budget> budget = budget_of(request.profile);
  media::PixelBounds bounds = checkpoint;
  if (request.profile != Profile::checkpoint) {
    bounds = {defaults.min_pixels, budget ? budget->max_pixels : defaults.max_pixels};
  }
  bounds.shortest_edge = params.min_pixels.value_or(
      std::min(bounds.shortest_edge, params.max_pixels.value_or(bounds.shortest_edge)));
  bounds.longest_edge =
      params.max_pixels.value_or(std::max(bounds.longest_edge, bounds.shortest_edge));
  return bounds;
}

}  // namespace tru::pipeline
