#include "media/demuxer.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

#include "base/assert.h"
#include "media/codecs.h"

namespace tru::media {
namespace {

// A read longer than this goes past libavformat's buffer: it is a packet's payload.
constexpr int kIoBufferBytes = 4096;
constexpr int kMaxStreams = 128;  // counting subtitles and attached fonts

constexpr std::array kCodecs = {
    AV_CODEC_ID_H264,      AV_CODEC_ID_HEVC,       AV_CODEC_ID_VP8,        AV_CODEC_ID_VP9,
    AV_CODEC_ID_AV1,       AV_CODEC_ID_MPEG4,      AV_CODEC_ID_MSMPEG4V1,  AV_CODEC_ID_MSMPEG4V2,
    AV_CODEC_ID_MSMPEG4V3, AV_CODEC_ID_MPEG1VIDEO, AV_CODEC_ID_MPEG2VIDEO, AV_CODEC_ID_H263,
    AV_CODEC_ID_THEORA,    AV_CODEC_ID_MJPEG,      AV_CODEC_ID_PRORES,
};

int deny_open(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EPERM);
}

}  // namespace

void silence_libav() {
  [[maybe_unused]] static const bool silent = [] {
    av_log_set_level(AV_LOG_QUIET);
    return true;
  }();
}

class FileReader {
 public:
  FileReader(std::shared_ptr<const InputFile> file, std::stop_token stop)
      : file_(std::move(file)), stop_(std::move(stop)) {}

  void set_payload(Demuxer::Payload payload) { payload_ = payload; }
  const InputFile& file() const { return *file_; }

  AvPtr<AVIOContext> make_io() {
    auto* buffer = static_cast<std::uint8_t*>(av_malloc(kIoBufferBytes));
    TRU_ASSERT(buffer != nullptr);
    AvPtr<AVIOContext> io(
        avio_alloc_context(buffer, kIoBufferBytes, 0, this, &FileReader::read, nullptr, &seek));
    TRU_ASSERT(io != nullptr);
    return io;
  }

 private:
  static int read(void* opaque, std::uint8_t* to, int count) {
    return static_cast<FileReader*>(opaque)->read(to, count);
  }

  int read(std::uint8_t* to, int count) {
    if (stop_.stop_requested()) return AVERROR_EXIT;
    const std::int64_t left = file_->size_bytes() - position_;
    if (left <= 0) return AVERROR_EOF;
    std::int64_t done = std::min<std::int64_t>(count, left);
    if (payload_ == Demuxer::Payload::all || count <= kIoBufferBytes) {
      done = file_->read(position_, to, done);
    } else if (payload_ == Demuxer::Payload::head) {
      const std::int64_t head = std::min<std::int64_t>(done, Demuxer::kHeadBytes);
      if (file_->read(position_, to, head) != head) return AVERROR(EIO);
      std::fill(to + head, to + done, std::uint8_t{0});
    }
    if (done < 0) return AVERROR(EIO);
    if (done == 0) return AVERROR_EOF;
    position_ += done;
    return static_cast<int>(done);
  }

  static std::int64_t seek(void* opaque, std::int64_t offset, int whence) {
    auto& self = *static_cast<FileReader*>(opaque);
    if (whence & AVSEEK_SIZE) return self.file_->size_bytes();
    switch (whence & ~AVSEEK_FORCE) {
      case SEEK_SET:
        break;
      case SEEK_CUR:
        offset += self.position_;
        break;
      case SEEK_END:
        offset += self.file_->size_bytes();
        break;
      default:
        return AVERROR(EINVAL);
    }
    if (offset < 0) return AVERROR(EINVAL);
    return self.position_ = offset;
  }

  const std::shared_ptr<const InputFile> file_;
  const std::stop_token stop_;
  Demuxer::Payload payload_ = Demuxer::Payload::all;
  std::int64_t position_ = 0;
};

Result<const AVInputFormat*> probe_container(const std::shared_ptr<const InputFile>& file) {
  silence_libav();
  FileReader reader(file, {});
  const AvPtr<AVIOContext> io = reader.make_io();
  const AVInputFormat* format = nullptr;
  // No file name: the content alone decides.
  av_probe_input_buffer2(io.get(), &format, "", nullptr, 0, 0);
  const std::string name = format != nullptr ? format->name : "";
  if (name == "mov,mp4,m4a,3gp,3g2,mj2" || name == "matroska,webm" || name == "avi") return format;
  return fail(ErrorCode::media_unsupported,
              "{} is not an mp4, mov, avi, mkv or webm file, whatever its name says: convert it",
              file->name());
}

bool is_allowed_codec(AVCodecID id) {
  return std::find(kCodecs.begin(), kCodecs.end(), id) != kCodecs.end();
}

std::vector<CodecSupport> codec_support() {
  std::vector<CodecSupport> support;
  for (const AVCodecID id : kCodecs) {
    support.push_back({avcodec_get_name(id), avcodec_find_decoder(id) != nullptr});
  }
  return support;
}

const char* decoder_whitelist() {
  static const std::string names = [] {
    std::string list;
    for (const AVCodecID id : kCodecs) {
      const AVCodec* decoder = avcodec_find_decoder(id);
      if (decoder != nullptr) list += (list.empty() ? "" : ",") + std::string(decoder->name);
    }
    return list;
  }();
  return names.c_str();
}

Demuxer::Demuxer(std::unique_ptr<FileReader> reader, AvPtr<AVIOContext> io,
                 AvPtr<AVFormatContext> context)
    : reader_(std::move(reader)), io_(std::move(io)), context_(std::move(context)) {}

Demuxer::Demuxer(Demuxer&&) noexcept = default;
Demuxer::~Demuxer() = default;

Demuxer& Demuxer::operator=(Demuxer&& other) noexcept {
  context_ = std::move(other.context_);  // in this order: each stands on the next
  io_ = std::move(other.io_);
  reader_ = std::move(other.reader_);
  stream_index_ = other.stream_index_;
  return *this;
}

Result<Demuxer> Demuxer::open(std::shared_ptr<const InputFile> file, const AVInputFormat* format,
                              std::stop_token stop) {
  silence_libav();
  auto reader = std::make_unique<FileReader>(std::move(file), std::move(stop));
  AvPtr<AVIOContext> io = reader->make_io();
  AvPtr<AVFormatContext> context(avformat_alloc_context());
  TRU_ASSERT(context != nullptr);
  context->pb = io.get();
  context->io_open = deny_open;
  context->max_streams = kMaxStreams;
  AVDictionary* options = nullptr;
  av_dict_set(&options, "codec_whitelist", decoder_whitelist(), 0);
  av_dict_set(&options, "format_whitelist", format->name, 0);
  av_dict_set(&options, "protocol_whitelist", "none", 0);

  AVFormatContext* raw = context.release();  // avformat_open_input frees it when it fails
  const int opened = avformat_open_input(&raw, "", format, &options);
  av_dict_free(&options);
  if (opened < 0)
    return fail(ErrorCode::media_unreadable,
                "{} is damaged or incomplete: its headers cannot be read; try to export it again",
                reader->file().name());
  context.reset(raw);
  return Demuxer(std::move(reader), std::move(io), std::move(context));
}

void Demuxer::select_stream(int stream_index, Payload payload) {
  stream_index_ = stream_index;
  for (unsigned i = 0; i < context_->nb_streams; ++i)
    context_->streams[i]->discard =
        static_cast<int>(i) == stream_index ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
  context_->flags |= AVFMT_FLAG_NOFILLIN | AVFMT_FLAG_NOPARSE;
  reader_->set_payload(payload);
}

bool Demuxer::read(AVPacket& packet) {
  for (;;) {
    av_packet_unref(&packet);
    if (av_read_frame(context_.get(), &packet) < 0) return false;
    if (packet.stream_index != stream_index_) continue;
    if (packet.flags & AV_PKT_FLAG_CORRUPT) return false;
    if (packet.size > 0) return true;
  }
}

bool Demuxer::seek(std::int64_t stored_time) {
  return av_seek_frame(context_.get(), stream_index_, stored_time, AVSEEK_FLAG_BACKWARD) >= 0;
}

}  // namespace tru::media
