#include "pipeline/still.h"

#include <algorithm>

#include "media/decode.h"
#include "media/jpeg_writer.h"

namespace tru::pipeline {

Result<std::string> still(const std::filesystem::path& path, const std::string& name, int index,
                          std::optional<int> width, std::stop_token stop) {
  TRU_TRY(const media::VideoFile video, media::VideoFile::open(path, {}, name));
  const media::VideoInfo& info = video.info();
  if (index < 0 || index >= info.frames_total) {
    return fail(ErrorCode::invalid_argument, "there is no frame {}: the video has {}, from 0 on",
                index, info.frames_total);
  }
  media::VideoPlan plan;
  plan.frames = {{index, video.frame_times_s()[static_cast<std::size_t>(index)]}};
  plan.size.width = std::min(width.value_or(info.width), info.width);
  plan.size.height = std::max(
      1, static_cast<int>(std::int64_t{info.height} * plan.size.width / std::max(1, info.width)));
  const auto frames = media::decode_frames(video, plan);
  TRU_TRY(const std::optional<FramePair> pair, frames->next(stop));
  if (!pair) return fail(ErrorCode::media_unreadable, "frame {} cannot be decoded", index);
  return media::encode_jpeg(*pair->first);
}

}  // namespace tru::pipeline
