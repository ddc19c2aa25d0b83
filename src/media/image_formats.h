// The formats behind ImageFile. bytes is the whole file.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/frame.h"
#include "base/result.h"
#include "media/orientation.h"
#include "media/smart_resize.h"
#include "media/video_file.h"

namespace tru::media {

using Bytes = std::span<const std::uint8_t>;

enum class ImageFormat { unknown, jpeg, png, webp, bmp, gif };

// By the first bytes.
ImageFormat detect_image_format(Bytes bytes);

struct StoredImage {
  RgbFrame picture;  // as stored, not turned
  Orientation orientation;
  bool cut_off = false;  // the file ends early: the rest of the picture is grey
};

// media_unreadable, media_dimensions; messages speak of "the picture".
Result<StoredImage> decode_jpeg(Bytes bytes, const MediaLimits& limits);

// PNG, WebP, BMP, GIF.
Result<StoredImage> decode_with_libav(ImageFormat format, Bytes bytes, const MediaLimits& limits);

// The size in the header of a PNG, WebP, BMP or GIF; 0 x 0 if it is not there.
FrameSize header_size(ImageFormat format, Bytes bytes);

// Of the EXIF block (a TIFF file) of a picture; upright if it says nothing.
Orientation exif_orientation(Bytes tiff);

// Where a PNG's or WebP's EXIF block is; empty if there is none.
Bytes find_exif(ImageFormat format, Bytes bytes);

}  // namespace tru::media
