// Carries out a VideoPlan: its frames, decoded, turned upright and resized, as temporal pairs.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/frame.h"
#include "base/result.h"
#include "media/plan.h"
#include "media/video_file.h"

namespace tru::media {

// A decoding thread and a short queue of finished pairs: memory does not grow with the video, and
// decoding goes on while the caller works on a pair. Destruction stops the thread at once.
class FrameStream {
 public:
  ~FrameStream();
  FrameStream(const FrameStream&) = delete;
  FrameStream& operator=(const FrameStream&) = delete;

  // The next temporal pair, both frames of plan.size; empty at the end. An odd last frame stands
  // in both places. The end may come before plan.grid_thw[0] pairs when the rest of the file cannot
  // be decoded: see warnings(). Errors: media_unreadable if no frame at all could be decoded,
  // cancelled when stop was asked for. One caller at a time.
  Result<std::optional<FramePair>> next(std::stop_token stop = {});

  // Valid once next() has answered with the end.
  int frames_delivered() const;                      // of plan.frames, without padding
  const std::vector<std::string>& warnings() const;  // sentences for the video report

  // Work of the decoding thread so far, without waiting for the reader.
  double busy_ms() const;

 private:
  friend std::unique_ptr<FrameStream> decode_frames(const VideoFile& video, const VideoPlan& plan,
                                                    int threads);
  class Worker;
  explicit FrameStream(std::unique_ptr<Worker> worker);

  std::unique_ptr<Worker> worker_;
};

// Starts decoding. threads: of the decoder; each costs memory for some pictures of the video's
// size.
std::unique_ptr<FrameStream> decode_frames(const VideoFile& video, const VideoPlan& plan,
                                           int threads = 2);

}  // namespace tru::media
