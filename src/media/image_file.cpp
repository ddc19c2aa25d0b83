#include "media/image_file.h"

#include "media/image_formats.h"
#include "media/input_file.h"
#include "media/resize.h"

namespace tru::media {
namespace {

constexpr std::int64_t kMaxFileBytes = std::int64_t{256} << 20;

const char* name_of(ImageFormat format) {
  switch (format) {
    case ImageFormat::jpeg:
      return "jpeg";
    case ImageFormat::png:
      return "png";
    case ImageFormat::webp:
      return "webp";
    case ImageFormat::bmp:
      return "bmp";
    case ImageFormat::gif:
      return "gif";
    case ImageFormat::unknown:
      break;
  }
  return "unknown";
}

}  // namespace

Result<ImageFile> ImageFile::open(const std::filesystem::path& path, const MediaLimits& limits,
                                  std::string name) {
  TRU_TRY(const std::shared_ptr<const InputFile> file, InputFile::open(path, std::move(name)));
  if (file->size_bytes() > kMaxFileBytes)
    return fail(ErrorCode::media_dimensions, "{} has {} MB: a picture may have at most {}",
                file->name(), file->size_bytes() >> 20, kMaxFileBytes >> 20);
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(file->size_bytes()));
  std::size_t done = 0;
  while (done < bytes.size()) {
    const std::int64_t count =
        file->read(static_cast<std::int64_t>(done), bytes.data() + done, bytes.size() - done);
    if (count <= 0)
      return fail(ErrorCode::media_unreadable, "{} cannot be read from the disk", file->name());
    done += static_cast<std::size_t>(count);
  }
  return decode(bytes, file->name(), limits);
}

Result<ImageFile> ImageFile::decode(std::span<const std::uint8_t> bytes, std::string name,
                                    const MediaLimits& limits) {
  if (bytes.empty()) return fail(ErrorCode::media_empty, "{} is empty", name);
  const ImageFormat format = detect_image_format(bytes);
  if (format == ImageFormat::unknown)
    return fail(ErrorCode::media_unsupported,
                "{} is not a JPEG, PNG, WebP, BMP or GIF picture: convert it", name);
  auto stored = format == ImageFormat::jpeg ? decode_jpeg(bytes, limits)
                                            : decode_with_libav(format, bytes, limits);
  if (!stored)
    return fail(stored.error().code, "{} cannot be used: {}", name, stored.error().message);
  ImageFile image;
  image.source_ = std::move(name);
  image.format_ = name_of(format);
  if (stored->cut_off)
    image.warnings_.emplace_back("the picture is damaged or cut off: parts of it are missing");
  image.picture_ =
      std::make_shared<const RgbFrame>(orient(std::move(stored->picture), stored->orientation));
  return image;
}

FramePair ImageFile::frames(FrameSize size) const {
  const bool same = size == this->size();
  const auto frame =
      same ? picture_ : std::make_shared<const RgbFrame>(resize_bicubic(*picture_, size));
  return {frame, frame};
}

}  // namespace tru::media
