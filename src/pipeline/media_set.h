// The images and videos of one question: opened, planned, decoded.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "fetch/fetcher.h"
#include "media/decode.h"
#include "media/image_file.h"
#include "media/video_file.h"
#include "pipeline/profile.h"
#include "pipeline/question.h"

namespace tru::pipeline {

// A media reference, resolved to a file that libav can open: a path, a download, or bytes held in
// memory.
class LocalFile {
 public:
  // Takes plain paths, file: and base64 data: URLs, and those of http and https. Errors:
  // invalid_argument, those of Fetcher::fetch().
  static Result<LocalFile> resolve(const MediaRef& ref, const fetch::Fetcher& fetcher,
                                   const fetch::Fetcher::Progress& progress, std::stop_token stop);

  const std::string& path() const { return path_; }
  const std::string& name() const { return name_; }  // for reports: without folders

 private:
  std::string path_;
  std::string name_;
  std::shared_ptr<const void> owner_;  // of what path_ names, if it goes with the last copy
};

// Brings everything here that the media need. The listener hears of downloads, in bytes.
Result<std::vector<LocalFile>> fetch_media(const std::vector<MediaRef>& refs,
                                           const fetch::Fetcher& fetcher,
                                           backend::AnswerListener& listener, std::stop_token stop);

// One opened image or video.
struct OpenMedia {
  LocalFile file;
  std::optional<media::VideoFile> video;
  std::optional<media::ImageFile> image;
};

// files: one for each of refs.
Result<std::vector<OpenMedia>> open_media(const std::vector<MediaRef>& refs,
                                          const std::vector<LocalFile>& files);

// What will be shown of one image or video.
struct MediaPlan {
  std::optional<media::VideoPlan> video;
  std::optional<media::ImagePlan> image;

  backend::MediaShape shape() const;
};

// The report on a video of which everything planned was seen.
VideoReport planned_report(const OpenMedia& video, const MediaPlan& plan);

// visual_tokens: the budget for all videos together, for profiles that have one. Errors:
// invalid_argument, media_dimensions.
Result<std::vector<MediaPlan>> plan_frames(const std::vector<OpenMedia>& media,
                                           const VideoRequest& request,
                                           const VideoDefaults& defaults,
                                           const backend::VisionLimits& vision,
                                           std::optional<std::int64_t> visual_tokens);

// Frames on their way to the model, one source per image or video.
class MediaFrames {
 public:
  virtual ~MediaFrames() = default;
  virtual std::vector<backend::FrameSource*> sources() = 0;
  // After generation: what was really seen of each video.
  virtual std::vector<VideoReport> reports() const = 0;
  virtual double decode_ms() const = 0;
};

// Starts decoding where it can begin before the model asks. The arguments outlive the result.
std::unique_ptr<MediaFrames> decode_frames(const std::vector<OpenMedia>& media,
                                           const std::vector<MediaPlan>& plans);

}  // namespace tru::pipeline
