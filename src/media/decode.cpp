#include "media/decode.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "base/channel.h"
#include "base/stopwatch.h"
#include "media/convert.h"
#include "media/deinterlace.h"
#include "media/frame_decoder.h"
#include "media/resize.h"
#include "media/video_source.h"

namespace tru::media {
namespace {

constexpr std::size_t kQueuedPairs = 2;

// AVFrame to the picture that the model sees.
class PictureMaker {
 public:
  PictureMaker(Orientation orientation, FrameSize size) : orientation_(orientation), size_(size) {}

  Result<std::shared_ptr<const RgbFrame>> make(const FrameDecoder::Picture& picture) {
    AvPtr<AVFrame> progressive;
    if (is_interlaced(*picture.frame))
      progressive = deinterlacer_.deinterlace(*picture.frame, picture.before, picture.after);
    TRU_TRY(RgbFrame rgb, converter_.convert(progressive ? *progressive : *picture.frame));
    return std::make_shared<const RgbFrame>(
        resize_bicubic(orient(std::move(rgb), orientation_), size_));
  }

 private:
  const Orientation orientation_;
  const FrameSize size_;
  RgbConverter converter_;
  Deinterlacer deinterlacer_;
};

}  // namespace

class FrameStream::Worker {
 public:
  Worker(const VideoFile& video, const VideoPlan& plan, int threads)
      : video_(video), plan_(plan), threads_(threads), pairs_(kQueuedPairs) {
    thread_ = std::jthread([this](std::stop_token stop) {
      status_ = run(stop);
      pairs_.close();
    });
  }

  Result<std::optional<FramePair>> next(std::stop_token stop) {
    if (auto pair = pairs_.receive(stop)) return pair;
    if (stop.stop_requested()) return fail(ErrorCode::cancelled, "decoding was stopped");
    TRU_CHECK(status_);  // the closed channel orders this read after the thread's write
    return std::nullopt;
  }

  int delivered() const { return delivered_; }
  const std::vector<std::string>& warnings() const { return warnings_; }
  double busy_ms() const { return busy_ms_; }

 private:
  // Time spent waiting for the reader is not work of the decoder.
  bool send(FramePair pair, std::stop_token stop) {
    const Stopwatch watch;
    const bool sent = pairs_.send(std::move(pair), stop);
    waited_ms_ += watch.elapsed_ms();
    busy_ms_ = lifetime_.elapsed_ms() - waited_ms_;
    return sent;
  }

  Status run(std::stop_token stop) {
    std::vector<int> wanted;
    for (const PlannedFrame& frame : plan_.frames) wanted.push_back(frame.index);
    TRU_TRY(FrameDecoder decoder, FrameDecoder::open(video_, wanted, threads_, stop));
    PictureMaker maker(video_.source()->orientation, plan_.size);
    std::shared_ptr<const RgbFrame> first, last;
    const int total = static_cast<int>(wanted.size());
    for (int i = 0; i < total; ++i) {
      TRU_TRY(const std::optional<FrameDecoder::Picture> picture, decoder.next());
      if (!picture) break;
      note(*picture);
      const bool repeats = i > 0 && wanted[i] == wanted[i - 1] && last != nullptr;
      if (!repeats) {
        TRU_TRY(last, maker.make(*picture));
      }
      ++delivered_;
      if (i % 2 == 0)
        first = last;
      else if (!send({std::exchange(first, nullptr), last}, stop))
        return fail(ErrorCode::cancelled, "decoding was stopped");
    }
    if (first != nullptr) send({first, first}, stop);
    if (delivered_ == 0)
      return fail(ErrorCode::media_unreadable,
                  "no frame of {} can be decoded: it is damaged or cut off; try to export it again",
                  video_.info().source);
    finish_warnings(total);
    return {};
  }

  void note(const FrameDecoder::Picture& picture) {
    stand_ins_ += picture.stands_in;
    const VideoSource& source = *video_.source();
    size_changes_ |= picture.frame->width != source.parameters->width ||
                     picture.frame->height != source.parameters->height;
  }

  void finish_warnings(int total) {
    if (stand_ins_ > 0)
      warnings_.push_back(fmt::format(
          "{} of {} chosen frames are damaged: the nearest earlier ones stand in for them",
          stand_ins_, total));
    if (delivered_ < total)
      warnings_.push_back(
          fmt::format("the last {} of {} chosen frames cannot be decoded: the video is damaged or "
                      "cut off there",
                      total - delivered_, total));
    if (size_changes_)
      warnings_.emplace_back("the picture size changes during the video: all are scaled to one");
  }

  const VideoFile video_;
  const VideoPlan plan_;
  const int threads_;
  Channel<FramePair> pairs_;
  Status status_;
  int delivered_ = 0;
  int stand_ins_ = 0;
  const Stopwatch lifetime_;
  double waited_ms_ = 0;
  std::atomic<double> busy_ms_ = 0;
  bool size_changes_ = false;
  std::vector<std::string> warnings_;
  std::jthread thread_;  // last: it uses all of the above
};

FrameStream::FrameStream(std::unique_ptr<Worker> worker) : worker_(std::move(worker)) {}
FrameStream::~FrameStream() = default;

Result<std::optional<FramePair>> FrameStream::next(std::stop_token stop) {
  return worker_->next(std::move(stop));
}

int FrameStream::frames_delivered() const {
  return worker_->delivered();
}
double FrameStream::busy_ms() const {
  return worker_->busy_ms();
}

const std::vector<std::string>& FrameStream::warnings() const {
  return worker_->warnings();
}

std::unique_ptr<FrameStream> decode_frames(const VideoFile& video, const VideoPlan& plan,
                                           int threads) {
  return std::unique_ptr<FrameStream>(
      new FrameStream(std::make_unique<FrameStream::Worker>(video, plan, threads)));
}

}  // namespace tru::media
