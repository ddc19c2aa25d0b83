// A question about videos and images, and its answer: the pipeline's input and output.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "media/plan.h"
#include "media/video_info.h"
#include "text/chat.h"

namespace tru::pipeline {

enum class Profile {
  none,        // the settings' limits
  checkpoint,  // the limits in the checkpoint's own files
  quick,       // the next three: a budget of visual tokens, fitted to the context
  balanced,
  detailed,
};

// Names as in `--profile`. Error: invalid_argument.
Result<Profile> parse_profile(std::string_view name);

// The settings DEFAULT_VIDEO_FPS ... DEFAULT_TOTAL_PIXELS.
struct VideoDefaults {
  double fps = 2.0;
  int max_frames = 768;
  std::int64_t min_pixels = 4096;        // per frame
  std::int64_t max_pixels = 262144;      // per frame
  std::int64_t total_pixels = 20971520;  // frames * height * width
};

// What the request says; unset values come from the profile, then from the defaults.
struct VideoRequest {
  media::VideoParams params;
  Profile profile = Profile::none;
};

struct MediaRef {
  text::PartKind kind = text::PartKind::video;  // image | video
  std::string url;                              // a path, or a file:, data:, http: or https: URL
  std::string name{};                           // for reports and messages; url's own if empty
};

struct Question {
  std::vector<text::Message> messages;  // media_index counts `media`
  std::vector<MediaRef> media;
  VideoRequest video;
  backend::GenerationParams generation;
};

// What was seen of one video. Field for field the `video_report` of the API.
struct VideoReport {
  media::VideoInfo info;
  media::VideoPlan plan;
  std::vector<std::string> warnings;
};

struct AnswerTimings {
  double decode_ms = 0;  // busy time of the stages, which may overlap
  double vision_ms = 0;
  double prefill_ms = 0;
  double generate_ms = 0;
  double first_token_ms = 0;  // wall time since the question
  double total_ms = 0;
};

struct Answer {
  backend::Generation generation;
  std::vector<VideoReport> videos;
  AnswerTimings timings;
};

}  // namespace tru::pipeline
