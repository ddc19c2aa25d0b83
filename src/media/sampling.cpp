#include "media/sampling.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/assert.h"

namespace tru::media {

FrameCount count_frames(int total, double video_fps, const SamplingRule& rule) {
  TRU_ASSERT(total >= 1 && video_fps > 0);
  if (rule.num_frames) return {.count = std::max(*rule.num_frames, 1)};
  // The order of the operations decides how the double is rounded: the reference's.
  const double wanted = std::trunc(total / video_fps * rule.fps.value_or(2.0));
  const double bounded =
      std::min(std::max(wanted, double(rule.min_frames)), double(std::min(rule.max_frames, total)));
  return {.count = std::max(static_cast<int>(bounded), 1),
          .hit_min = wanted < rule.min_frames && bounded > wanted,
          .hit_max = wanted > rule.max_frames && rule.max_frames < total};
}

std::vector<int> spread_indices(int total, int count) {
  TRU_ASSERT(total >= 1 && count >= 1);
  std::vector<int> indices(count, 0);
  if (count == 1) return indices;
  // numpy.linspace: a multiple of the rounded step, and exactly the end at the end.
  const double step = double(total - 1) / double(count - 1);
  for (int i = 0; i < count; ++i) indices[i] = static_cast<int>(std::nearbyint(i * step));
  indices.back() = total - 1;
  return indices;
}

std::vector<int> spread_times(std::span<const double> times_s, int count) {
  const int total = static_cast<int>(times_s.size());
  std::vector<int> indices = spread_indices(total, count);
  if (total < 3) return indices;
  const double interval_s = (times_s.back() - times_s.front()) / (total - 1);
  // Containers round times to their ticks, of up to 1/600 s: so much later still counts as shown.
  const double tolerance_s = std::min(0.002, interval_s / 2);
  for (int& index : indices) {
    const double time_s = times_s.front() + index * interval_s + tolerance_s;
    const auto after = std::upper_bound(times_s.begin(), times_s.end(), time_s);
    index = std::max(static_cast<int>(after - times_s.begin()) - 1, 0);
  }
  return indices;
}

FrameRange trim_frames(std::span<const double> times_s, double duration_s, double start_s,
                       std::optional<double> end_s) {
  if (start_s > 0 && start_s >= duration_s) return {};
  const auto at = [&](double time_s) {
    return static_cast<int>(std::lower_bound(times_s.begin(), times_s.end(), time_s) -
                            times_s.begin());
  };
  FrameRange range{at(start_s), end_s ? at(*end_s) : static_cast<int>(times_s.size())};
  if (range.first >= range.last) range = {std::max(range.first - 1, 0), std::max(range.first, 1)};
  return range;
}

std::vector<double> patch_timestamps(std::span<const double> frame_times_s,
                                     int temporal_patch_size) {
  std::vector<double> timestamps_s;
  for (std::size_t first = 0; first < frame_times_s.size(); first += temporal_patch_size) {
    const std::size_t last = std::min(first + temporal_patch_size, frame_times_s.size()) - 1;
    timestamps_s.push_back((frame_times_s[first] + frame_times_s[last]) / 2);
  }
  return timestamps_s;
}

std::string format_timestamp(double timestamp_s) {
  return fmt::format("{:.1f}", timestamp_s);
}

}  // namespace tru::media
