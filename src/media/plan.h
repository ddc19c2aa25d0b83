// From a video's facts and a request's parameters to what will be seen: which frames, when, how
// large. Pure functions; decode.h carries the plan out.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "media/sampling.h"
#include "media/smart_resize.h"
#include "media/video_info.h"

namespace tru::media {

// How the model cuts pictures: one token stands for merge_size^2 patches of patch_size^2 pixels
// of temporal_patch_size frames.
struct PatchGeometry {
  int patch_size = 16;
  int merge_size = 2;
  int temporal_patch_size = 2;

  int factor() const { return patch_size * merge_size; }
};

// A request's wishes, profile and settings already applied. Unset pixel limits are the
// checkpoint's.
struct VideoParams {
  std::optional<double> fps{};                 // (0, 60]; excludes num_frames; 2 if neither is set
  std::optional<int> num_frames{};             // [1, 2048]
  std::optional<int> max_frames{};             // [1, 2048]; 768 if unset
  std::optional<std::int64_t> min_pixels{};    // per frame, >= 1
  std::optional<std::int64_t> max_pixels{};    // per frame, >= 1
  std::optional<std::int64_t> total_pixels{};  // frames * height * width, >= 1
  double start_s = 0;                          // >= 0
  std::optional<double> end_s{};               // > start_s
  Timing timing = Timing::pts;
};

struct PlannedFrame {
  int index = 0;      // in order of presentation, from 0
  double time_s = 0;  // since the clip's first frame; by number with timing=index
};

struct VideoPlan {
  std::vector<PlannedFrame> frames;  // ascending, as chosen: an odd count is not padded
  FrameSize size;                    // of every frame as the model sees it
  std::array<int, 3> grid_thw{};     // patches
  std::vector<double> timestamps_s;  // one per temporal patch: format_timestamp spells them
  std::int64_t video_tokens = 0;     // grid / merge_size^2, without the timestamps' text
  // Names of the limits that decided something: min_frames, max_frames, min_pixels, max_pixels,
  // total_pixels, or the checkpoint's shortest_edge, longest_edge. After an answer also
  // unchanged_tokens: video_tokens are fewer than planned (profile=quick).
  std::vector<std::string> limits;
};

// times_s: VideoFile::frame_times_s(), one per frame. invalid_argument names the parameter;
// media_dimensions when the shape is too long and thin; model_invalid for temporal patches of other
// than two frames.
Result<VideoPlan> plan_video(const VideoInfo& info, std::span<const double> times_s,
                             const VideoParams& params, const PatchGeometry& geometry,
                             PixelBounds checkpoint);

struct ImagePlan {
  FrameSize size;
  std::array<int, 3> grid_thw{};  // t is 1: the image fills both places of its temporal patch
  std::int64_t image_tokens = 0;
};

// media_dimensions as above.
Result<ImagePlan> plan_image(FrameSize image, const PatchGeometry& geometry,
                             PixelBounds checkpoint);

}  // namespace tru::media
