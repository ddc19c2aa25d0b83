// Still pictures: JPEG (by libjpeg-turbo, as PIL does, so that pixels are the reference's), PNG,
// WebP, BMP and the first frame of a GIF.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/frame.h"
#include "base/result.h"
#include "media/smart_resize.h"
#include "media/video_file.h"

namespace tru::media {

// A decoded picture, upright, without transparency (PIL's convert("RGB") drops it too). Immutable;
// copies share the pixels; any thread.
class ImageFile {
 public:
  // media_not_found, media_empty, media_unsupported, media_unreadable, media_dimensions. name:
  // what the picture is called in messages; the file's own if empty.
  static Result<ImageFile> open(const std::filesystem::path& path, const MediaLimits& limits = {},
                                std::string name = {});

  // The same from memory; name stands in messages.
  static Result<ImageFile> decode(std::span<const std::uint8_t> bytes, std::string name,
                                  const MediaLimits& limits = {});

  const std::string& source() const { return source_; }  // file name without folders
  const std::string& format() const { return format_; }  // jpeg, png, webp, bmp or gif
  FrameSize size() const { return {picture_->width, picture_->height}; }
  const RgbFrame& picture() const { return *picture_; }
  const std::vector<std::string>& warnings() const { return warnings_; }

  // One temporal pair, the picture resized in both places.
  FramePair frames(FrameSize size) const;

 private:
  ImageFile() = default;

  std::string source_;
  std::string format_;
  std::shared_ptr<const RgbFrame> picture_;
  std::vector<std::string> warnings_;
};

}  // namespace tru::media
