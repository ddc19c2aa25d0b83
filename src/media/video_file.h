// A video, opened: its facts and the time of every frame. Nothing is decoded yet beyond what
// probing needs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include "base/result.h"
#include "media/frame_index.h"
#include "media/video_info.h"

namespace tru::media {

// What is refused, to bound time and memory whatever a file claims.
struct MediaLimits {
  int max_side_px = 8192;
  std::int64_t max_pixels = 33'200'000;  // per picture: 7680 x 4320
  double max_aspect = 200;               // longer side over shorter
  int max_streams = 16;                  // of pictures, sound and data
  double max_duration_s = 4 * 3600;
  int max_packets = 2'000'000;  // of the video stream
};

// media_dimensions if a picture of this size is beyond the limits.
Status check_picture_size(int width, int height, const MediaLimits& limits);

// No allocation of libav's may exceed bytes from now on, in the whole process: call it once, at
// start. Headers can claim tables of gigabytes.
void limit_allocations(std::size_t bytes = std::size_t{256} << 20);

// What decoding needs to know, in libav's types.
struct VideoSource;

// Immutable; copies share everything; any thread.
class VideoFile {
 public:
  // Reads the headers, and then the index or, where a container has none, the packets' headers.
  // media_not_found, media_empty, media_unsupported (container or codec), media_no_video,
  // media_unreadable, media_dimensions, media_too_long. The message is one sentence for a person.
  // name: what the video is called in messages and reports; the file's own if empty.
  static Result<VideoFile> open(const std::filesystem::path& path, const MediaLimits& limits = {},
                                std::string name = {});

  const VideoInfo& info() const { return *info_; }
  const FrameIndex& index() const { return *index_; }
  const MediaLimits& limits() const { return limits_; }

  // Seconds since the first frame, one per frame, ascending.
  std::span<const double> frame_times_s() const { return index_->times_s(); }

  const std::shared_ptr<const VideoSource>& source() const { return source_; }

 private:
  VideoFile(std::shared_ptr<const VideoSource> source, FrameIndex index, VideoInfo info,
            const MediaLimits& limits)
      : source_(std::move(source)),
        index_(std::make_shared<const FrameIndex>(std::move(index))),
        info_(std::make_shared<const VideoInfo>(std::move(info))),
        limits_(limits) {}

  std::shared_ptr<const VideoSource> source_;
  std::shared_ptr<const FrameIndex> index_;
  std::shared_ptr<const VideoInfo> info_;
  MediaLimits limits_;
};

}  // namespace tru::media
