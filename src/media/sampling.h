// Which frames of a video are looked at, and the times written before them. Pure functions.
//
// The rule is that of transformers' Qwen3VLVideoProcessor.sample_frames: n frames spread evenly
// from the first to the last, both included.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tru::media {

enum class Timing {
  pts,    // choose and stamp by presentation times
  index,  // choose by frame number and stamp number / average rate, exactly as the reference does
};

struct SamplingRule {
  std::optional<double> fps{};  // wanted frames per second; 2 if neither is given
  std::optional<int>
      num_frames{};      // wanted number, taken as it is: beyond the total, frames repeat
  int min_frames = 4;    // lower bound of what fps gives
  int max_frames = 768;  // upper bound of what fps gives
};

struct FrameCount {
  int count = 0;
  bool hit_min = false;  // raised to min_frames
  bool hit_max = false;  // cut to max_frames
};

// How many of total frames (>= 1) at video_fps (> 0) the rule takes. At least 1.
FrameCount count_frames(int total, double video_fps, const SamplingRule& rule);

// count indices in [0, total), ascending, evenly spread; ties of rounding go to even.
std::vector<int> spread_indices(int total, int count);

// spread_indices for `timing=pts`: the indices are read as times on an even clock that runs from
// times_s.front() to times_s.back(), and each time is answered by the frame shown then. At a
// constant frame rate this equals spread_indices. times_s ascends, one per frame.
std::vector<int> spread_times(std::span<const double> times_s, int count);

// The frames [first, last) with start_s <= time < end_s; if none, the one shown at start_s. Empty
// (first == last) when start_s is at or after the end of the video. With `timing=index` the times
// are number / average rate.
struct FrameRange {
  int first = 0;
  int last = 0;
};
FrameRange trim_frames(std::span<const double> times_s, double duration_s, double start_s,
                       std::optional<double> end_s);

// The time of each temporal patch: mean of the first and the last of its frames' times. The last
// time is repeated to fill the last patch.
std::vector<double> patch_timestamps(std::span<const double> frame_times_s,
                                     int temporal_patch_size);

// Seconds with one decimal as the prompt spells them: C's %.1f.
std::string format_timestamp(double timestamp_s);

}  // namespace tru::media
