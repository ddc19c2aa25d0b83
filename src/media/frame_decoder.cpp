#include "media/frame_decoder.h"

#include <algorithm>

#include "base/assert.h"
#include "media/video_source.h"

namespace tru::media {
namespace {

// Frames that no other refers to can be left out. libav's test for HEVC does not see that frames
// of a higher temporal layer may refer to them: the number of layers is in the hvcC header.
bool may_skip_nonref(const AVCodecParameters& parameters) {
  if (parameters.codec_id != AV_CODEC_ID_HEVC) return true;
  constexpr int kLayersByte = 21;  // ISO/IEC 14496-15, 8.3.3.1: numTemporalLayers, bits 3 to 5
  if (parameters.extradata_size <= kLayersByte || parameters.extradata[0] != 1) return false;
  return ((parameters.extradata[kLayersByte] >> 3) & 7) == 1;
}

// An interlaced frame is deinterlaced from its neighbours too.
std::vector<int> with_neighbours(std::span<const int> wanted, int frames_total) {
  std::vector<int> all;
  for (const int frame : wanted)
    for (int i = std::max(frame - 1, 0); i <= std::min(frame + 1, frames_total - 1); ++i)
      all.push_back(i);
  std::sort(all.begin(), all.end());
  return all;
}

Result<AvPtr<AVCodecContext>> open_codec(const VideoSource& source, std::int64_t max_pixels,
                                         int threads) {
  const AVCodec* decoder = avcodec_find_decoder(source.parameters->codec_id);
  TRU_ASSERT(decoder != nullptr);
  AvPtr<AVCodecContext> codec(avcodec_alloc_context3(decoder));
  TRU_ASSERT(codec != nullptr);
  avcodec_parameters_to_context(codec.get(), source.parameters.get());
  codec->pkt_timebase = source.time_base;
  codec->thread_count = threads;
  codec->max_pixels = max_pixels;  // also refuses a change of size in the middle
  // The H.264 decoder holds frames after an open start for corrupt until some have come out.
  codec->flags |= AV_CODEC_FLAG_OUTPUT_CORRUPT;
  if (avcodec_open2(codec.get(), decoder, nullptr) < 0)
    return fail(ErrorCode::media_unreadable, "the decoder refuses {}: its headers are damaged",
                source.file->name());
  return codec;
}

}  // namespace

FrameDecoder::FrameDecoder(const VideoFile& video, std::span<const int> wanted, Demuxer demuxer,
                           AvPtr<AVCodecContext> codec, std::stop_token stop)
    : video_(video),
      stop_(std::move(stop)),
      demuxer_(std::move(demuxer)),
      codec_(std::move(codec)),
      packet_(av_packet_alloc()),
      wanted_(wanted.begin(), wanted.end()),
      wanted_packets_(video.index().packets().size()),
      may_skip_nonref_(may_skip_nonref(*video.source()->parameters)) {
  TRU_ASSERT(packet_ != nullptr && std::is_sorted(wanted_.begin(), wanted_.end()));
  std::vector<int> needed = wanted_;
  if (video.info().interlaced) needed = with_neighbours(wanted_, video.info().frames_total);
  for (const int frame : needed) wanted_packets_[video.index().packet_of(frame)] = true;
  segments_ = plan_segments(video.index(), needed);
}

Result<FrameDecoder> FrameDecoder::open(const VideoFile& video, std::span<const int> wanted,
                                        int threads, std::stop_token stop) {
  const VideoSource& source = *video.source();
  TRU_TRY(Demuxer demuxer, Demuxer::open(source.file, source.format, stop));
  if (static_cast<int>(demuxer.context().nb_streams) <= source.stream_index)
    return fail(ErrorCode::media_unreadable, "{} is damaged: its video track cannot be read again",
                source.file->name());
  demuxer.select_stream(source.stream_index, Demuxer::Payload::all);
  TRU_TRY(AvPtr<AVCodecContext> codec, open_codec(source, video.limits().max_pixels, threads));
  return FrameDecoder(video, wanted, std::move(demuxer), std::move(codec), std::move(stop));
}

Result<std::optional<FrameDecoder::Picture>> FrameDecoder::next() {
  TRU_ASSERT(next_wanted_ < wanted_.size());
  const int wanted = wanted_[next_wanted_++];
  while (!current_ || current_->index < wanted) {
    advance();
    if (stop_.stop_requested()) return fail(ErrorCode::cancelled, "decoding was stopped");
    if (!current_) return std::nullopt;
  }
  if (current_->index > wanted) {
    const Decoded& nearest = before_ ? *before_ : *current_;
    return Picture{.frame = nearest.frame.get(), .stands_in = true};
  }
  const auto neighbour = [&](const std::optional<Decoded>& frame, int index) -> const AVFrame* {
    return video_.info().interlaced && frame && frame->index == index ? frame->frame.get()
                                                                      : nullptr;
  };
  return Picture{.frame = current_->frame.get(),
                 .before = neighbour(before_, wanted - 1),
                 .after = neighbour(after_, wanted + 1)};
}

void FrameDecoder::advance() {
  if (current_) before_ = std::move(current_);
  if (!video_.info().interlaced) {
    current_ = decode_next();
    return;
  }
  if (!before_) after_ = decode_next();
  current_ = std::move(after_);
  after_ = decode_next();
}

std::optional<FrameDecoder::Decoded> FrameDecoder::decode_next() {
  AvPtr<AVFrame> frame(av_frame_alloc());
  TRU_ASSERT(frame != nullptr);
  while (!stop_.stop_requested()) {
    if (!in_segment_ && !start_segment()) return std::nullopt;
    const int received = avcodec_receive_frame(codec_.get(), frame.get());
    if (received == AVERROR_EOF) {
      in_segment_ = false;
    } else if (received == 0) {
      const std::optional<int> index = index_of(*frame);
      const bool usable = index && check_picture_size(frame->width, frame->height, video_.limits());
      if (usable) return Decoded{.frame = std::move(frame), .index = *index};
      av_frame_unref(frame.get());
    } else {
      feed();  // more is asked for, or a damaged packet was dropped
    }
  }
  return std::nullopt;
}

// Whether a frame is shown before the keyframe that its segment began with: it may lack references.
bool FrameDecoder::leads(const AVFrame& frame) const {
  return frame.pts < video_.index().packets()[segments_[segment_ - 1].first_packet].pts;
}

// One packet of the segment, or after the last one the order to hand out what is still held.
void FrameDecoder::feed() {
  const DecodeSegment& segment = segments_[segment_ - 1];
  const bool at_end = position_ > segment.last_packet && !holds_packet_;
  if (at_end || !read_packet()) {
    avcodec_send_packet(codec_.get(), nullptr);
    return;
  }
  const int number = position_ - 1;
  const IndexedPacket& entry = video_.index().packets()[number];
  // With a keyframe comes what the decoder must know to start there.
  const bool skip = may_skip_nonref_ && !wanted_packets_[number] && !entry.keyframe;
  codec_->skip_frame = skip ? AVDISCARD_NONREF : AVDISCARD_DEFAULT;
  packet_->pts = entry.pts;
  avcodec_send_packet(codec_.get(), packet_.get());
}

bool FrameDecoder::start_segment() {
  if (segment_ == segments_.size()) return false;
  const DecodeSegment& segment = segments_[segment_];
  if (segment_ > 0) avcodec_flush_buffers(codec_.get());
  ++segment_;
  in_segment_ = true;
  last_pts_.reset();
  // Begun at a keyframe that is no IDR, libav's H.264 decoder withholds frames of which it does not
  // know yet that they are whole. Those after the keyframe are; the others nobody asks for.
  if (segment.first_packet > 0) codec_->flags |= AV_CODEC_FLAG_OUTPUT_CORRUPT;
  if (!go_to_packet(segment.first_packet)) position_ = segment.last_packet + 1;
  return true;
}

// Makes packet the one that read_packet gives next. False if the file does not give it any more.
bool FrameDecoder::go_to_packet(int packet) {
  constexpr int kReadThroughPackets = 16;  // cheaper than seeking
  if (can_seek_ && packet > position_ + kReadThroughPackets && !seek_packet(packet)) {
    can_seek_ = false;
    if (!rewind()) return false;
  }
  while (position_ <= packet)
    if (!read_packet()) return false;
  holds_packet_ = true;
  return true;
}

// Seeks to packet, or to one before it: then position_ is behind that one.
bool FrameDecoder::seek_packet(int packet) {
  const std::vector<IndexedPacket>& packets = video_.index().packets();
  if (!demuxer_.seek(packets[packet].stored_time) || !demuxer_.read(*packet_)) return false;
  const std::int64_t found = stored_time(*packet_);
  for (int number = packet; number >= 0; --number) {
    if (packets[number].stored_time != found) continue;
    position_ = number + 1;
    return true;
  }
  return false;
}

bool FrameDecoder::rewind() {
  const VideoSource& source = *video_.source();
  auto demuxer = Demuxer::open(source.file, source.format, stop_);
  if (!demuxer) return false;
  demuxer_ = std::move(*demuxer);
  demuxer_.select_stream(source.stream_index, Demuxer::Payload::all);
  position_ = 0;
  return true;
}

bool FrameDecoder::read_packet() {
  if (holds_packet_) {
    holds_packet_ = false;
    return true;
  }
  do {
    if (position_ >= static_cast<int>(wanted_packets_.size()) || !demuxer_.read(*packet_))
      return false;
  } while (stored_time(*packet_) == AV_NOPTS_VALUE);
  ++position_;
  return true;
}

std::optional<int> FrameDecoder::index_of(const AVFrame& frame) {
  if (frame.pts == AV_NOPTS_VALUE) return std::nullopt;
  std::optional<int> index;
  if (last_pts_ == frame.pts) {  // frames of equal time are shown in stored order
    const int following = last_index_ + 1;
    if (following < video_.index().frames_total() && video_.index().pts_of(following) == frame.pts)
      index = following;
  } else {
    index = video_.index().frame_at(frame.pts);
  }
  if (!index) return std::nullopt;
  last_pts_ = frame.pts;
  last_index_ = *index;
  return index;
}

}  // namespace tru::media
