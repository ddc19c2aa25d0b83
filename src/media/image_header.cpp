// What the headers of pictures say, read byte by byte: every read is checked against the end.
#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "media/image_formats.h"

namespace tru::media {
namespace {

// Bytes past the end read as 0.
std::uint32_t little(Bytes bytes, std::size_t at, int count) {
  std::uint32_t value = 0;
  for (int i = 0; i < count; ++i)
    if (at + i < bytes.size()) value |= std::uint32_t{bytes[at + i]} << (8 * i);
  return value;
}

std::uint32_t big(Bytes bytes, std::size_t at, int count) {
  std::uint32_t value = 0;
  for (int i = 0; i < count; ++i) value = value << 8 | (at + i < bytes.size() ? bytes[at + i] : 0);
  return value;
}

bool has(Bytes bytes, std::size_t at, std::string_view text) {
  return bytes.size() >= at + text.size() &&
         std::equal(text.begin(), text.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at),
                    [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; });
}

Bytes tail(Bytes bytes, std::size_t from) {
  return bytes.subspan(std::min(from, bytes.size()));
}

// Calls visit(type, data) for each chunk until it returns true.
template <typename Visit>
void for_png_chunks(Bytes bytes, Visit visit) {
  for (std::size_t at = 8; at + 8 <= bytes.size();) {
    const std::size_t length = big(bytes, at, 4);
    const Bytes data = tail(bytes, at + 8);
    if (visit(bytes.subspan(at + 4, 4), data.first(std::min(length, data.size())))) return;
    at += 12 + length;
  }
}

template <typename Visit>
void for_riff_chunks(Bytes bytes, Visit visit) {
  for (std::size_t at = 12; at + 8 <= bytes.size();) {
    const std::size_t length = little(bytes, at + 4, 4);
    const Bytes data = tail(bytes, at + 8);
    if (visit(bytes.subspan(at, 4), data.first(std::min(length, data.size())))) return;
    at += 8 + length + length % 2;
  }
}

FrameSize webp_size(Bytes bytes) {
  FrameSize size;
  for_riff_chunks(bytes, [&](Bytes type, Bytes data) {
    if (has(type, 0, "VP8X")) {
      size = {static_cast<int>(little(data, 4, 3)) + 1, static_cast<int>(little(data, 7, 3)) + 1};
    } else if (has(type, 0, "VP8L")) {
      const std::uint32_t bits = little(data, 1, 4);
      size = {static_cast<int>(bits & 0x3fff) + 1, static_cast<int>(bits >> 14 & 0x3fff) + 1};
    } else if (has(type, 0, "VP8 ")) {
      size = {static_cast<int>(little(data, 6, 2) & 0x3fff),
              static_cast<int>(little(data, 8, 2) & 0x3fff)};
    }
    return size.width != 0;
  });
  return size;
}

}  // namespace

ImageFormat detect_image_format(Bytes bytes) {
  if (has(bytes, 0, "\xff\xd8\xff")) return ImageFormat::jpeg;
  if (has(bytes, 0, "\x89PNG\r\n\x1a\n")) return ImageFormat::png;
  if (has(bytes, 0, "RIFF") && has(bytes, 8, "WEBP")) return ImageFormat::webp;
  if (has(bytes, 0, "GIF87a") || has(bytes, 0, "GIF89a")) return ImageFormat::gif;
  if (has(bytes, 0, "BM")) return ImageFormat::bmp;
  return ImageFormat::unknown;
}

FrameSize header_size(ImageFormat format, Bytes bytes) {
  switch (format) {
    case ImageFormat::png:
      return {static_cast<int>(big(bytes, 16, 4)), static_cast<int>(big(bytes, 20, 4))};
    case ImageFormat::gif:
      return {static_cast<int>(little(bytes, 6, 2)), static_cast<int>(little(bytes, 8, 2))};
    case ImageFormat::bmp:
      // A negative height means that the top row comes first.
      return {static_cast<int>(little(bytes, 18, 4)),
              std::abs(static_cast<int>(little(bytes, 22, 4)))};
    case ImageFormat::webp:
      return webp_size(bytes);
    default:
      return {};
  }
}

Orientation exif_orientation(Bytes tiff) {
  constexpr std::uint32_t kOrientationTag = 0x0112;
  constexpr std::size_t kEntryBytes = 12;
  const bool is_little = has(tiff, 0, "II");
  if (!is_little && !has(tiff, 0, "MM")) return {};
  const auto read = [&](std::size_t at, int count) {
    return is_little ? little(tiff, at, count) : big(tiff, at, count);
  };
  const std::size_t directory = read(4, 4);
  const std::uint32_t entries = read(directory, 2);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + i * kEntryBytes;
    if (entry + kEntryBytes > tiff.size()) break;
    if (read(entry, 2) == kOrientationTag)
      return orientation_of_exif(static_cast<int>(read(entry + 8, 2)));
  }
  return {};
}

Bytes find_exif(ImageFormat format, Bytes bytes) {
  Bytes exif;
  if (format == ImageFormat::png)
    for_png_chunks(bytes, [&](Bytes type, Bytes data) {
      if (has(type, 0, "eXIf")) exif = data;
      return !exif.empty();
    });
  if (format == ImageFormat::webp)
    for_riff_chunks(bytes, [&](Bytes type, Bytes data) {
      if (has(type, 0, "EXIF")) exif = has(data, 0, "Exif") ? tail(data, 6) : data;
      return !exif.empty();
    });
  return exif;
}

}  // namespace tru::media
