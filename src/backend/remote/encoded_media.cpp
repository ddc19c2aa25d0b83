#include "backend/remote/encoded_media.h"

#include <filesystem>
#include <fstream>

#include "backend/remote/frame_code.h"
#include "base/base64.h"

namespace tru::backend {
namespace {

constexpr std::uintmax_t kMaxFileBytes = 256 << 20;  // vLLM takes no larger ones

}  // namespace

Result<std::vector<EncodedMedia>> encode_media(const std::vector<FrameSource*>& frames,
                                               const std::vector<MediaShape>& media,
                                               FrameFormat format, AnswerListener& listener,
                                               std::stop_token stop) {
  std::int64_t total = 0, done = 0;
  for (const MediaShape& shape : media) total += shape.grid_thw[0];
  std::vector<EncodedMedia> result;
  for (FrameSource* source : frames) {
    EncodedMedia encoded;
    while (true) {
      TRU_TRY(const auto pair, source->next(stop));
      if (!pair) break;
      const bool twice = pair->first == pair->second;
      encoded.push_back({encode_frame(*pair->first, format),
                         twice ? std::string() : encode_frame(*pair->second, format)});
      listener.on_progress(Stage::decode, ++done, total);
    }
    result.push_back(std::move(encoded));
  }
  return result;
}

Result<std::string> encode_file(const std::string& path) {
  std::error_code failed;
  const auto size = std::filesystem::file_size(path, failed);
  if (!failed && size > kMaxFileBytes) {
    return fail(ErrorCode::media_dimensions,
                "the back end takes whole files only, of at most {} MiB", kMaxFileBytes >> 20);
  }
  std::ifstream file(path, std::ios::binary);
  std::vector<std::uint8_t> bytes(failed ? 0 : size);
  if (failed || !file.read(reinterpret_cast<char*>(bytes.data()),
                           static_cast<std::streamsize>(bytes.size()))) {
    return fail(ErrorCode::media_not_found, "the video can't be read");
  }
  return encode_base64(bytes);
}

}  // namespace tru::backend
