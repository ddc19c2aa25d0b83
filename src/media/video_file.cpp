#include "media/video_file.h"

extern "C" {
#include <libavutil/display.h>
#include <libavutil/mem.h>
#include <libavutil/pixdesc.h>
}

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "base/assert.h"
#include "media/cut_off.h"
#include "media/demuxer.h"
#include "media/packet_index.h"
#include "media/video_source.h"

namespace tru::media {
namespace {

constexpr double kDefaultFps = 24;

std::string container_name(const VideoSource& source) {
  const std::string_view format = source.format->name;
  if (format == "avi") return "avi";
  std::array<std::uint8_t, 64> head{};
  source.file->read(0, head.data(), head.size());
  const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  if (format == "matroska,webm")
    return text.find("webm") != std::string_view::npos ? "webm" : "mkv";  // the EBML DocType
  // The major brand follows "ftyp"; QuickTime files of old have no such box.
  return text.substr(4, 4) == "ftyp" && text.substr(8, 4) != "qt  " ? "mp4" : "mov";
}

Orientation stored_orientation(const AVStream& stream) {
  const std::uint8_t* data = nullptr;
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 102)
  const AVPacketSideData* side =
      av_packet_side_data_get(stream.codecpar->coded_side_data, stream.codecpar->nb_coded_side_data,
                              AV_PKT_DATA_DISPLAYMATRIX);
  if (side != nullptr) data = side->data;
#else
  data = av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, nullptr);
#endif
  if (data == nullptr) return {};
  std::array<std::int32_t, 9> matrix{};
  std::memcpy(matrix.data(), data, sizeof matrix);
  return orientation_of_matrix(matrix);
}

bool is_text_subtitle(const AVCodecParameters& parameters) {
  const AVCodecDescriptor* descriptor = avcodec_descriptor_get(parameters.codec_id);
  return parameters.codec_type == AVMEDIA_TYPE_SUBTITLE && descriptor != nullptr &&
         (descriptor->props & AV_CODEC_PROP_TEXT_SUB);
}

struct Tracks {
  const AVStream* video = nullptr;  // the first that is not a cover picture
  int counted = 0;                  // pictures, sound and data
  bool cover = false;
  bool audio = false;
  bool text_subtitles = false;
};

Tracks find_tracks(const AVFormatContext& context) {
  Tracks tracks;
  for (unsigned i = 0; i < context.nb_streams; ++i) {
    const AVStream& stream = *context.streams[i];
    const AVMediaType type = stream.codecpar->codec_type;
    if (type == AVMEDIA_TYPE_VIDEO && (stream.disposition & AV_DISPOSITION_ATTACHED_PIC)) {
      tracks.cover = true;
      continue;
    }
    if (type == AVMEDIA_TYPE_VIDEO && tracks.video == nullptr) tracks.video = &stream;
    tracks.counted += type != AVMEDIA_TYPE_SUBTITLE && type != AVMEDIA_TYPE_ATTACHMENT;
    tracks.audio |= type == AVMEDIA_TYPE_AUDIO;
    tracks.text_subtitles |= is_text_subtitle(*stream.codecpar);
  }
  return tracks;
}

Status check_tracks(const Tracks& tracks, const std::string& name, const MediaLimits& limits) {
  if (tracks.counted > limits.max_streams)
    return fail(ErrorCode::media_unsupported, "{} has {} tracks: at most {} are allowed", name,
                tracks.counted, limits.max_streams);
  if (tracks.video == nullptr)
    return fail(ErrorCode::media_no_video, "{} has no video track{}: give a file with pictures",
                name,
                tracks.cover   ? ", only a cover picture"
                : tracks.audio ? ", only sound"
                               : "");
  const AVCodecID codec = tracks.video->codecpar->codec_id;
  if (!is_allowed_codec(codec) || avcodec_find_decoder(codec) == nullptr)
    return fail(ErrorCode::media_unsupported,
                "{} holds {} video, which is not supported: convert it, to H.264 for example", name,
                avcodec_get_name(codec));
  return {};
}

bool is_interlaced(AVFieldOrder order) {
  return order == AV_FIELD_TT || order == AV_FIELD_BB || order == AV_FIELD_TB ||
         order == AV_FIELD_BT;
}

// A file of varying rate has a frame that stays for half as long again as the middle one, or only
// half as long. Times are rounded to ticks.
bool rate_varies(const std::vector<double>& times_s, double tick_s) {
  if (times_s.size() < 3) return false;
  std::vector<double> intervals_s;
  for (std::size_t i = 1; i < times_s.size(); ++i)
    intervals_s.push_back(times_s[i] - times_s[i - 1]);
  const auto middle = intervals_s.begin() + static_cast<std::ptrdiff_t>(intervals_s.size() / 2);
  std::nth_element(intervals_s.begin(), middle, intervals_s.end());
  const double median_s = *middle;
  return std::any_of(intervals_s.begin(), intervals_s.end(), [&](double interval_s) {
    return interval_s > 1.5 * median_s + tick_s || interval_s < 0.5 * median_s - tick_s;
  });
}

// Fills in what follows from the times of the frames.
void describe_times(const FrameIndex& index, const PacketList& list, double tick_s,
                    VideoInfo& info) {
  const std::vector<double>& times_s = index.times_s();
  info.frames_total = index.frames_total();
  info.variable_frame_rate = rate_varies(times_s, tick_s);
  info.sampling_fps = kDefaultFps;
  if (info.fps.known())
    info.sampling_fps = info.fps.value();
  else if (times_s.size() > 1 && times_s.back() > 0)
    info.sampling_fps = double(times_s.size() - 1) / times_s.back();
  info.duration_s = double(list.end_pts - index.pts_of(0)) * tick_s;
  if (info.duration_s <= times_s.back()) info.duration_s = times_s.back() + 1 / info.sampling_fps;
}

VideoInfo describe(const VideoSource& source, const AVStream& stream, const Tracks& tracks) {
  const AVCodecParameters& parameters = *source.parameters;
  VideoInfo info;
  info.source = source.file->name();
  info.container = container_name(source);
  info.codec = avcodec_get_name(parameters.codec_id);
  const char* format = av_get_pix_fmt_name(static_cast<AVPixelFormat>(parameters.format));
  info.pixel_format = format != nullptr ? format : "unknown";
  info.width = parameters.width;
  info.height = parameters.height;
  if (source.orientation.transpose) std::swap(info.width, info.height);
  info.rotation_deg = source.orientation.rotation_deg();
  if (stream.avg_frame_rate.num > 0 && stream.avg_frame_rate.den > 0)
    info.fps = {stream.avg_frame_rate.num, stream.avg_frame_rate.den};
  info.interlaced = source.interlaced;
  info.has_audio = tracks.audio;
  info.has_text_subtitles = tracks.text_subtitles;
  if (is_cut_off(*source.file, info.container))
    info.warnings.emplace_back("the file is cut off: only the part that is there is used");
  if (info.interlaced) info.warnings.emplace_back("the video is interlaced: it is deinterlaced");
  return info;
}

// libavformat reads, and if need be decodes, the first packets to learn what the headers leave out.
bool find_stream_info(AVFormatContext& context, const MediaLimits& limits) {
  std::vector<AVDictionary*> options;
  for (unsigned i = 0; i < context.nb_streams; ++i) {
    AVDictionary* option = nullptr;
    av_dict_set_int(&option, "max_pixels", limits.max_pixels, 0);
    options.push_back(option);
  }
  const int found = avformat_find_stream_info(&context, options.data());
  for (AVDictionary*& option : options) av_dict_free(&option);
  return found >= 0;
}

}  // namespace

Status check_picture_size(int width, int height, const MediaLimits& limits) {
  if (width <= 0 || height <= 0)
    return fail(ErrorCode::media_unreadable,
                "the picture size cannot be read: the file is damaged");
  if (width > limits.max_side_px || height > limits.max_side_px ||
      std::int64_t{width} * height > limits.max_pixels)
    return fail(ErrorCode::media_dimensions,
                "the picture is {} x {}: at most {} a side and {:.1f} million pixels are allowed",
                width, height, limits.max_side_px, double(limits.max_pixels) / 1e6);
  if (std::max(width, height) > limits.max_aspect * std::min(width, height))
    return fail(ErrorCode::media_dimensions,
                "the picture is {} x {}: one side may be at most {:.0f} times the other", width,
                height, limits.max_aspect);
  return {};
}

void limit_allocations(std::size_t bytes) {
  av_max_alloc(bytes);
}

Result<VideoFile> VideoFile::open(const std::filesystem::path& path, const MediaLimits& limits,
                                  std::string name) {
  TRU_TRY(std::shared_ptr<const InputFile> file, InputFile::open(path, std::move(name)));
  auto source = std::make_shared<VideoSource>();
  source->file = file;
  TRU_TRY(source->format, probe_container(file));
  TRU_TRY(Demuxer demuxer, Demuxer::open(file, source->format));
  AVFormatContext& context = demuxer.context();
  const Tracks stored = find_tracks(context);
  TRU_CHECK(check_tracks(stored, file->name(), limits));
  // Where the container tells the size, a picture that is too large is refused before it is
  // decoded.
  const AVCodecParameters& header = *stored.video->codecpar;
  if (header.width > 0 && header.height > 0) {
    TRU_CHECK(check_picture_size(header.width, header.height, limits));
  }
  if (!find_stream_info(context, limits))
    return fail(ErrorCode::media_unreadable, "{} is damaged: its video cannot be read",
                file->name());
  const Tracks tracks = find_tracks(context);
  TRU_CHECK(check_tracks(tracks, file->name(), limits));
  const AVStream& stream = *tracks.video;
  TRU_CHECK(check_picture_size(stream.codecpar->width, stream.codecpar->height, limits));

  source->stream_index = stream.index;
  source->parameters.reset(avcodec_parameters_alloc());
  TRU_ASSERT(source->parameters != nullptr);
  avcodec_parameters_copy(source->parameters.get(), stream.codecpar);
  source->time_base = stream.time_base;
  source->orientation = stored_orientation(stream);
  source->interlaced = is_interlaced(stream.codecpar->field_order);

  TRU_TRY(PacketList list, list_packets(*source, limits));
  const double tick_s = av_q2d(source->time_base);
  FrameIndex index(list.packets, tick_s);
  if (index.frames_total() == 0)
    return fail(ErrorCode::media_unreadable,
                "{} holds no video frame: it is damaged or was cut off; try to export it again",
                file->name());
  VideoInfo info = describe(*source, stream, tracks);
  describe_times(index, list, tick_s, info);
  return VideoFile(std::move(source), std::move(index), std::move(info), limits);
}

}  // namespace tru::media
