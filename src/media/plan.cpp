#include "media/plan.h"

#include <algorithm>
#include <cmath>

#include "base/assert.h"

namespace tru::media {
namespace {

constexpr double kMaxFps = 60;
constexpr int kMaxFrames = 2048;

Status check_pixels(const char* name, std::optional<std::int64_t> pixels) {
  if (!pixels || *pixels >= 1) return {};
  return fail(ErrorCode::invalid_argument, "{} is {}: it must be at least 1", name, *pixels);
}

Status check_frames(const char* name, std::optional<int> frames) {
  if (!frames || (*frames >= 1 && *frames <= kMaxFrames)) return {};
  return fail(ErrorCode::invalid_argument, "{} is {}: it must be from 1 to {}", name, *frames,
              kMaxFrames);
}

Status check(const VideoParams& params) {
  if (params.fps && params.num_frames)
    return fail(ErrorCode::invalid_argument, "fps and num_frames exclude each other: give one");
  if (params.fps && !(*params.fps > 0 && *params.fps <= kMaxFps))
    return fail(ErrorCode::invalid_argument, "fps is {}: it must be above 0 and at most {}",
                *params.fps, kMaxFps);
  TRU_CHECK(check_frames("num_frames", params.num_frames));
  TRU_CHECK(check_frames("max_frames", params.max_frames));
  TRU_CHECK(check_pixels("min_pixels", params.min_pixels));
  TRU_CHECK(check_pixels("max_pixels", params.max_pixels));
  TRU_CHECK(check_pixels("total_pixels", params.total_pixels));
  if (params.min_pixels && params.max_pixels && *params.min_pixels > *params.max_pixels)
    return fail(ErrorCode::invalid_argument, "min_pixels {} is above max_pixels {}",
                *params.min_pixels, *params.max_pixels);
  if (!(params.start_s >= 0) || std::isinf(params.start_s))
    return fail(ErrorCode::invalid_argument, "start is {} s: it must be 0 or more", params.start_s);
  if (params.end_s && !(*params.end_s > params.start_s))
    return fail(ErrorCode::invalid_argument, "end is {} s: it must be after start, {} s",
                *params.end_s, params.start_s);
  return {};
}

// The bounds of the whole clip and whose they are: per-frame limits times the frames.
struct NamedBounds {
  PixelBounds bounds;
  const char* shortest_name = "shortest_edge";
  const char* longest_name = "longest_edge";
};

std::int64_t times(std::int64_t pixels, int frames) {
  std::int64_t product = 0;
  return __builtin_mul_overflow(pixels, std::int64_t{frames}, &product) ? INT64_MAX : product;
}

NamedBounds clip_bounds(const VideoParams& params, PixelBounds checkpoint, int num_frames) {
  NamedBounds named{.bounds = checkpoint};
  if (params.min_pixels) {
    named.bounds.shortest_edge = times(*params.min_pixels, num_frames);
    named.shortest_name = "min_pixels";
  }
  if (params.total_pixels) {
    named.bounds.longest_edge = *params.total_pixels;
    named.longest_name = "total_pixels";
  }
  if (params.max_pixels) {
    const std::int64_t longest = times(*params.max_pixels, num_frames);
    if (!params.total_pixels || longest < *params.total_pixels) {
      named.bounds.longest_edge = longest;
      named.longest_name = "max_pixels";
    }
  }
  return named;
}

std::vector<double> times_by_number(int total, double fps) {
  std::vector<double> times_s(total);
  for (int i = 0; i < total; ++i) times_s[i] = i / fps;
  return times_s;
}

// Chooses frames: their numbers and times. Appends the names of the limits on their number.
Result<std::vector<PlannedFrame>> choose_frames(const VideoInfo& info,
                                                std::span<const double> times_s,
                                                const VideoParams& params,
                                                std::vector<std::string>& limits) {
  const bool by_number = params.timing == Timing::index;
  std::vector<double> numbered;
  if (by_number) {
    numbered = times_by_number(static_cast<int>(times_s.size()), info.index_fps());
    times_s = numbered;
  }
  const FrameRange range = trim_frames(times_s, info.duration_s, params.start_s, params.end_s);
  if (range.first == range.last)
    return fail(ErrorCode::invalid_argument, "start is {} s, but the video ends at {:.3f} s",
                params.start_s, info.duration_s);

  const std::span<const double> kept = times_s.subspan(range.first, range.last - range.first);
  const int total = static_cast<int>(kept.size());
  SamplingRule rule{.fps = params.fps, .num_frames = params.num_frames};
  if (params.max_frames) rule.max_frames = *params.max_frames;
  const FrameCount count =
      count_frames(total, by_number ? info.index_fps() : info.sampling_fps, rule);
  if (count.hit_min) limits.emplace_back("min_frames");
  if (count.hit_max) limits.emplace_back("max_frames");

  std::vector<int> indices =
      by_number ? spread_indices(total, count.count) : spread_times(kept, count.count);
  // One frame cannot fill a temporal patch: it is shown twice.
  if (indices.size() == 1) indices.push_back(indices[0]);
  std::vector<PlannedFrame> frames;
  for (const int index : indices) frames.push_back({range.first + index, kept[index]});
  return frames;
}

std::array<int, 3> grid(FrameSize size, int num_frames, const PatchGeometry& geometry) {
  const int temporal = geometry.temporal_patch_size;
  return {(num_frames + temporal - 1) / temporal, size.height / geometry.patch_size,
          size.width / geometry.patch_size};
}

std::int64_t tokens(const std::array<int, 3>& thw, const PatchGeometry& geometry) {
  return std::int64_t{thw[0]} * thw[1] * thw[2] / (geometry.merge_size * geometry.merge_size);
}

}  // namespace

Result<VideoPlan> plan_video(const VideoInfo& info, std::span<const double> times_s,
                             const VideoParams& params, const PatchGeometry& geometry,
                             PixelBounds checkpoint) {
  TRU_ASSERT(!times_s.empty());
  if (geometry.temporal_patch_size != 2)
    return fail(ErrorCode::model_invalid, "temporal_patch_size is {}: only 2 is supported",
                geometry.temporal_patch_size);
  TRU_CHECK(check(params));
  VideoPlan plan;
  TRU_TRY(plan.frames, choose_frames(info, times_s, params, plan.limits));

  const int num_frames = static_cast<int>(plan.frames.size());
  const NamedBounds named = clip_bounds(params, checkpoint, num_frames);
  TRU_TRY(const Resized resized,
          resize_video({info.width, info.height}, num_frames, geometry.temporal_patch_size,
                       geometry.factor(), named.bounds));
  plan.size = resized.size;
  if (resized.bound_by == PixelBound::shortest_edge) plan.limits.emplace_back(named.shortest_name);
  if (resized.bound_by == PixelBound::longest_edge) plan.limits.emplace_back(named.longest_name);

  plan.grid_thw = grid(plan.size, num_frames, geometry);
  plan.video_tokens = tokens(plan.grid_thw, geometry);
  std::vector<double> frame_times_s;
  for (const PlannedFrame& frame : plan.frames) frame_times_s.push_back(frame.time_s);
  plan.timestamps_s = patch_timestamps(frame_times_s, geometry.temporal_patch_size);
  return plan;
}

Result<ImagePlan> plan_image(FrameSize image, const PatchGeometry& geometry,
                             PixelBounds checkpoint) {
  TRU_TRY(const Resized resized, resize_image(image, geometry.factor(), checkpoint));
  ImagePlan plan{.size = resized.size};
  plan.grid_thw = grid(plan.size, 1, geometry);
  plan.image_tokens = tokens(plan.grid_thw, geometry);
  return plan;
}

}  // namespace tru::media
