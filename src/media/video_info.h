// What probing a video tells: plain facts, no libav types.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tru::media {

// An exact ratio. Unknown is 0/1.
struct Rational {
  std::int64_t num = 0;
  std::int64_t den = 1;

  bool known() const { return num > 0 && den > 0; }
  double value() const { return static_cast<double>(num) / static_cast<double>(den); }
};

struct VideoInfo {
  std::string source;        // file name without folders
  std::string container;     // mp4, mov, avi, mkv or webm
  std::string codec;         // libav's name: h264, hevc, vp9...
  std::string pixel_format;  // libav's name: yuv420p, yuv422p10le...
  double duration_s = 0;     // from the first frame shown to the end of the last
  int width = 0;             // pixels, as shown: after rotation
  int height = 0;
  int rotation_deg = 0;  // clockwise turn that the file asks for: 0, 90, 180 or 270
  Rational fps;          // the container's average frame rate; unknown in a few files
  bool variable_frame_rate = false;
  bool interlaced = false;  // its interlaced frames are deinterlaced when decoded
  int frames_total = 0;     // frames that a decoder shows, and the size of the frame index
  bool has_audio = false;
  bool has_text_subtitles = false;
  std::vector<std::string> warnings;  // sentences for the video report

  // Average frame rate for choosing frames: the container's, else the one of the frame times,
  // else 24 (as the reference does).
  double sampling_fps = 24;
  // Average frame rate for stamping `timing=index` times: the container's, else 24.
  double index_fps() const { return fps.known() ? fps.value() : 24.0; }
};

}  // namespace tru::media
