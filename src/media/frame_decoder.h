// Decodes chosen frames of a video in order, and as little else as possible.
#pragma once

#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "media/av.h"
#include "media/decode_segments.h"
#include "media/demuxer.h"
#include "media/video_file.h"

namespace tru::media {

// One thread at a time. The result does not depend on which other frames are chosen: seeking and
// skipping give the same pictures as decoding everything.
class FrameDecoder {
 public:
  // wanted: frames in order of presentation, ascending, repeats allowed.
  // threads: of the decoder; each costs memory for some pictures.
  // media_unreadable if the decoder cannot be opened.
  static Result<FrameDecoder> open(const VideoFile& video, std::span<const int> wanted, int threads,
                                   std::stop_token stop);

  struct Picture {
    const AVFrame* frame = nullptr;  // valid until the next call
    // For deinterlacing: the frames shown before and after, where the video is interlaced and they
    // could be decoded.
    const AVFrame* before = nullptr;
    const AVFrame* after = nullptr;
    bool stands_in = false;  // the frame itself is damaged: this is the nearest earlier one
  };

  // The picture of each wanted frame in turn; empty when neither it nor any later frame can be
  // decoded. cancelled when a stop was asked for.
  Result<std::optional<Picture>> next();

 private:
  struct Decoded {
    AvPtr<AVFrame> frame;
    int index = 0;
  };

  FrameDecoder(const VideoFile& video, std::span<const int> wanted, Demuxer demuxer,
               AvPtr<AVCodecContext> codec, std::stop_token stop);

  void advance();
  std::optional<Decoded> decode_next();
  bool start_segment();
  bool go_to_packet(int packet);
  bool seek_packet(int packet);
  bool rewind();
  bool read_packet();
  bool leads(const AVFrame& frame) const;
  void feed();
  std::optional<int> index_of(const AVFrame& frame);

  VideoFile video_;
  std::stop_token stop_;
  Demuxer demuxer_;
  AvPtr<AVCodecContext> codec_;
  AvPtr<AVPacket> packet_;

  std::vector<int> wanted_;  // frames
  std::size_t next_wanted_ = 0;
  std::vector<bool> wanted_packets_;  // one per packet: must not be skipped
  bool may_skip_nonref_ = false;

  std::vector<DecodeSegment> segments_;
  std::size_t segment_ = 0;
  bool in_segment_ = false;
  int position_ = 0;           // number of the packet that the demuxer yields next
  bool holds_packet_ = false;  // packet_ is number position_ - 1 and not yet used
  bool can_seek_ = true;
  std::optional<std::int64_t> last_pts_;
  int last_index_ = -1;

  std::optional<Decoded> before_, current_, after_;
};

}  // namespace tru::media
