#include "media/cut_off.h"

#include <array>

namespace tru::media {
namespace {

class HeaderReader {
 public:
  HeaderReader(const InputFile& file, std::int64_t position) : file_(file), position_(position) {}

  std::int64_t position() const { return position_; }

  // An unsigned number of up to 8 bytes; 0 past the end.
  std::uint64_t big(int bytes) {
    std::array<std::uint8_t, 8> data{};
    if (file_.read(position_, data.data(), bytes) != bytes) return 0;
    position_ += bytes;
    std::uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) value = value << 8 | data[i];
    return value;
  }

  // A size as EBML writes it (RFC 8794, 4): leading zero bits count the bytes. All ones: unknown.
  std::uint64_t ebml_size() {
    const std::uint64_t first = big(1);
    int more = 0;
    while (more < 8 && !(first & (0x80u >> more))) ++more;
    if (more == 8) return UINT64_MAX;
    const std::uint64_t rest = big(more);
    const std::uint64_t size = (first & (0x7fu >> more)) << (8 * more) | rest;
    const std::uint64_t unknown = (std::uint64_t{1} << (7 * (more + 1))) - 1;
    return size == unknown ? UINT64_MAX : size;
  }

 private:
  const InputFile& file_;
  std::int64_t position_;
};

bool mp4_is_cut_off(const InputFile& file) {
  constexpr std::uint64_t kSizeFollows = 1;  // as 64 bits, after the type
  const auto end = static_cast<std::uint64_t>(file.size_bytes());
  std::uint64_t position = 0;
  while (position + 8 <= end) {
    HeaderReader header(file, static_cast<std::int64_t>(position));
    std::uint64_t size = header.big(4);
    header.big(4);  // type
    if (size == kSizeFollows) size = header.big(8);
    if (size < 8) return false;  // 0: to the end of the file
    if (size > end - position) return true;
    position += size;
  }
  return false;
}

bool mkv_is_cut_off(const InputFile& file) {
  constexpr std::uint64_t kSegment = 0x18538067;
  HeaderReader header(file, 4);  // after the id of the EBML header
  const std::uint64_t header_bytes = header.ebml_size();
  if (header_bytes > 4096) return false;
  HeaderReader segment(file, header.position() + static_cast<std::int64_t>(header_bytes));
  if (segment.big(4) != kSegment) return false;
  const std::uint64_t size = segment.ebml_size();
  return size != UINT64_MAX &&
         size > static_cast<std::uint64_t>(file.size_bytes() - segment.position());
}

bool avi_is_cut_off(const InputFile& file) {
  const std::uint64_t swapped = HeaderReader(file, 4).big(4);
  const auto size = __builtin_bswap32(static_cast<std::uint32_t>(swapped));
  return std::int64_t{size} + 8 > file.size_bytes() + 1;  // the padding byte may be missing
}

}  // namespace

bool is_cut_off(const InputFile& file, std::string_view format) {
  if (format == "avi") return avi_is_cut_off(file);
  if (format == "mkv" || format == "webm") return mkv_is_cut_off(file);
  return mp4_is_cut_off(file);
}

}  // namespace tru::media
