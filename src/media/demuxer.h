// Packets out of a container: libavformat on an open file. It reads that file and nothing else,
// as one of five containers, chosen by content. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>

#include "base/result.h"
#include "media/av.h"
#include "media/input_file.h"

namespace tru::media {

// libav prints to stderr unless told otherwise, and that only for the whole process.
void silence_libav();

// mp4/mov, avi or matroska/webm; media_unsupported for anything else.
Result<const AVInputFormat*> probe_container(const std::shared_ptr<const InputFile>& file);

// The codecs we open, as libavformat wants them for probing: names of decoders, comma-separated.
const char* decoder_whitelist();

// Whether libav may be asked to decode it: the list is short because rare decoders are where
// the security holes are.
bool is_allowed_codec(AVCodecID id);

class FileReader;

class Demuxer {
 public:
  // How much is read of the data of large packets: all; their first kHeadBytes, the rest being 0;
  // none, all being undefined.
  enum class Payload { all, head, none };
  static constexpr int kHeadBytes = 4096;

  // format is what probe_container found. A stop request ends reading.
  // media_unreadable when the headers are damaged.
  static Result<Demuxer> open(std::shared_ptr<const InputFile> file, const AVInputFormat* format,
                              std::stop_token stop = {});

  AVFormatContext& context() { return *context_; }

  // From here on: packets of this stream only, as they are stored, with the container's own
  // timestamps and without parsing.
  void select_stream(int stream_index, Payload payload);

  // The next packet that is wholly in the file; false at the end, where the rest cannot be read
  // or a stop was asked for. A packet whose data is cut off ends the stream.
  bool read(AVPacket& packet);

  // Continues at a keyframe at or before this stored time, in ticks; false if that failed.
  bool seek(std::int64_t stored_time);

 private:
  Demuxer(std::unique_ptr<FileReader> reader, AvPtr<AVIOContext> io,
          AvPtr<AVFormatContext> context);

 public:
  Demuxer(Demuxer&&) noexcept;
  Demuxer& operator=(Demuxer&&) noexcept;
  ~Demuxer();

 private:
  std::unique_ptr<FileReader> reader_;
  AvPtr<AVIOContext> io_;
  AvPtr<AVFormatContext> context_;
  int stream_index_ = -1;
};

}  // namespace tru::media
