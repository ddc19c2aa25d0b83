#include "media/packet_index.h"

#include <algorithm>
#include <string_view>

#include "base/assert.h"
#include "media/demuxer.h"

namespace tru::media {
namespace {

bool is_intra_only(AVCodecID codec) {
  const AVCodecDescriptor* descriptor = avcodec_descriptor_get(codec);
  return descriptor != nullptr && (descriptor->props & AV_CODEC_PROP_INTRA_ONLY);
}

// Finds the order of presentation where a container stores none, from the packets themselves.
class PresentationOrder {
 public:
  explicit PresentationOrder(const AVCodecParameters& parameters)
      : parser_(av_parser_init(parameters.codec_id)), codec_(avcodec_alloc_context3(nullptr)) {
    TRU_ASSERT(codec_ != nullptr);
    avcodec_parameters_to_context(codec_.get(), &parameters);
    if (parser_ != nullptr) parser_->flags |= PARSER_FLAG_COMPLETE_FRAMES;
    counts_pictures_ =
        parameters.codec_id == AV_CODEC_ID_H264 || parameters.codec_id == AV_CODEC_ID_HEVC;
  }

  // Packets in stored order. Corrects packet.keyframe.
  void add(const AVPacket& data, IndexedPacket& packet) {
    const auto number = static_cast<std::uint32_t>(keys_.size());
    std::uint8_t* out = nullptr;
    int out_bytes = 0;
    if (parser_ != nullptr) {
      av_parser_parse2(parser_.get(), codec_.get(), &out, &out_bytes, data.data, data.size,
                       AV_NOPTS_VALUE, data.dts, data.pos);
      if (parser_->key_frame == 0) packet.keyframe = false;
      const bool refers =
          parser_->pict_type == AV_PICTURE_TYPE_P || parser_->pict_type == AV_PICTURE_TYPE_B;
      if (!counts_pictures_ && refers) packet.keyframe = false;
    }
    if (parser_ == nullptr) {
      keys_.push_back({group_, number, number});
    } else if (counts_pictures_) {
      const std::int64_t count = parser_->output_picture_number;
      if (packet.keyframe && count <= last_count_) ++group_;  // the count starts again
      last_count_ = packet.keyframe ? count : std::max(last_count_, count);
      keys_.push_back({group_, count, number});
    } else {
      // Bidirectional pictures are shown at once, others when the next such one arrives.
      const bool bidirectional = parser_->pict_type == AV_PICTURE_TYPE_B;
      if (!bidirectional) ++group_;
      keys_.push_back({bidirectional ? group_ - 1 : group_, bidirectional ? 1 : 0, number});
    }
  }

  // Gives the packets the stored times in order of presentation.
  void assign_pts(std::vector<IndexedPacket>& packets) {
    std::vector<std::int64_t> times;
    for (const IndexedPacket& packet : packets) times.push_back(packet.stored_time);
    std::sort(times.begin(), times.end());
    std::sort(keys_.begin(), keys_.end(), [](const Key& a, const Key& b) {
      return std::tie(a.group, a.within, a.number) < std::tie(b.group, b.within, b.number);
    });
    for (std::size_t i = 0; i < keys_.size(); ++i) packets[keys_[i].number].pts = times[i];
  }

 private:
  struct Key {
    std::int64_t group;
    std::int64_t within;
    std::uint32_t number;
  };

  AvPtr<AVCodecParserContext> parser_;
  AvPtr<AVCodecContext> codec_;
  bool counts_pictures_ = false;
  std::int64_t group_ = 0;
  std::int64_t last_count_ = -1;
  std::vector<Key> keys_;
};

}  // namespace

bool is_hidden(AVCodecID codec, const AVPacket& packet) {
  constexpr int kShowFrame = 0x10;  // RFC 6386, 9.1
  return codec == AV_CODEC_ID_VP8 && packet.size > 0 && !(packet.data[0] & kShowFrame);
}

namespace {

// One pass over the packets; order is null or takes part in it.
Result<PacketList> read_packets(const VideoSource& source, const MediaLimits& limits,
                                PresentationOrder* order) {
  TRU_TRY(Demuxer demuxer, Demuxer::open(source.file, source.format));
  if (static_cast<int>(demuxer.context().nb_streams) <= source.stream_index)
    return fail(ErrorCode::media_unreadable, "{} is damaged: its video track cannot be read again",
                source.file->name());
  const AVCodecID codec = source.parameters->codec_id;
  const bool looks_inside = order != nullptr || codec == AV_CODEC_ID_VP8;
  demuxer.select_stream(source.stream_index,
                        looks_inside ? Demuxer::Payload::head : Demuxer::Payload::none);
  const AvPtr<AVPacket> packet(av_packet_alloc());
  TRU_ASSERT(packet != nullptr);
  PacketList list;
  const double tick_s = av_q2d(source.time_base);
  std::int64_t last_pts = INT64_MIN;
  while (demuxer.read(*packet)) {
    const std::int64_t stored = stored_time(*packet);
    if (stored == AV_NOPTS_VALUE) continue;
    IndexedPacket entry{
        .stored_time = stored,
        .pts = stored,
        .keyframe = (packet->flags & AV_PKT_FLAG_KEY) != 0,
        .shown = !(packet->flags & AV_PKT_FLAG_DISCARD) && !is_hidden(codec, *packet)};
    if (order != nullptr) order->add(*packet, entry);
    list.packets.push_back(entry);
    if (entry.shown && stored >= last_pts) {
      last_pts = stored;
      list.end_pts = stored + std::max<std::int64_t>(packet->duration, 0);
    }
    if (static_cast<int>(list.packets.size()) > limits.max_packets ||
        double(stored - list.packets.front().stored_time) * tick_s > limits.max_duration_s)
      return fail(ErrorCode::media_too_long,
                  "{} is too long: at most {:.0f} hours and {} frames are allowed; cut it",
                  source.file->name(), limits.max_duration_s / 3600, limits.max_packets);
  }
  return list;
}

// Whether pictures are shown in another order than they are stored in, and the container keeps
// that to itself: avi, and files written without regard to it.
bool hides_order(const VideoSource& source, const std::vector<IndexedPacket>& packets) {
  if (is_intra_only(source.parameters->codec_id)) return false;
  if (std::string_view(source.format->name) == "avi") return true;
  return source.parameters->video_delay > 0 &&
         std::is_sorted(packets.begin(), packets.end(),
                        [](const IndexedPacket& a, const IndexedPacket& b) {
                          return a.stored_time < b.stored_time;
                        });
}

// Decoding begins at the first keyframe, or at the first packet if none is marked: what is stored
// or shown before it refers to frames that are not there.
void hide_before_keyframe(std::vector<IndexedPacket>& packets) {
  if (packets.empty()) return;
  auto first = std::find_if(packets.begin(), packets.end(),
                            [](const IndexedPacket& packet) { return packet.keyframe; });
  if (first == packets.end()) first = packets.begin();
  first->keyframe = true;
  const std::int64_t begin_pts = first->pts;
  for (auto packet = packets.begin(); packet != packets.end(); ++packet)
    if (packet < first || packet->pts < begin_pts) packet->shown = false;
}

}  // namespace

Result<PacketList> list_packets(const VideoSource& source, const MediaLimits& limits) {
  TRU_TRY(PacketList list, read_packets(source, limits, nullptr));
  if (hides_order(source, list.packets)) {
    PresentationOrder order(*source.parameters);
    TRU_TRY(list, read_packets(source, limits, &order));
    order.assign_pts(list.packets);
  }
  hide_before_keyframe(list.packets);
  return list;
}

}  // namespace tru::media
