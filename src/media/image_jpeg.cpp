// JPEG with libjpeg-turbo's defaults (accurate integer DCT, smooth chroma upsampling): PIL's.
#include <csetjmp>
#include <cstdio>
#include <cstring>

#include <jpeglib.h>

#include <algorithm>

#include "media/image_formats.h"
#include "media/rgb_frame.h"

namespace tru::media {
namespace {

constexpr int kExifMarker = JPEG_APP0 + 1;
constexpr char kExifStart[] = "Exif\0";  // and one more zero, the array's own

// libjpeg leaves through a jump when it meets an error: nothing below may own memory at that time.
struct Decoder {
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  std::jmp_buf on_error{};

  static void fail(j_common_ptr jpeg) {
    std::longjmp(static_cast<Decoder*>(jpeg->client_data)->on_error, 1);
  }
  static void stay_silent(j_common_ptr) {}

  explicit Decoder(Bytes bytes) {
    jpeg.err = jpeg_std_error(&errors);
    errors.error_exit = fail;
    errors.output_message = stay_silent;
    jpeg.client_data = this;
    jpeg_create_decompress(&jpeg);
    jpeg_mem_src(&jpeg, bytes.data(), bytes.size());
    jpeg_save_markers(&jpeg, kExifMarker, 0xffff);
  }
  ~Decoder() { jpeg_destroy_decompress(&jpeg); }
  Decoder(const Decoder&) = delete;

  bool read_header() {
    if (setjmp(on_error) != 0) return false;
    if (jpeg_read_header(&jpeg, TRUE) != JPEG_HEADER_OK) return false;
    const bool is_cmyk = jpeg.jpeg_color_space == JCS_CMYK || jpeg.jpeg_color_space == JCS_YCCK;
    jpeg.out_color_space = is_cmyk ? JCS_CMYK : JCS_RGB;
    return true;
  }

  // rows: output_height pointers to rows of output_width pixels.
  bool read_rows(std::uint8_t* pixels, std::size_t row_bytes) {
    if (setjmp(on_error) != 0) return false;
    jpeg_start_decompress(&jpeg);
    while (jpeg.output_scanline < jpeg.output_height) {
      JSAMPROW row = pixels + row_bytes * jpeg.output_scanline;
      jpeg_read_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_decompress(&jpeg);
    return true;
  }
};

Orientation find_orientation(const jpeg_decompress_struct& jpeg) {
  for (auto* marker = jpeg.marker_list; marker != nullptr; marker = marker->next)
    if (marker->marker == kExifMarker && marker->data_length > sizeof kExifStart &&
        std::memcmp(marker->data, kExifStart, sizeof kExifStart) == 0)
      return exif_orientation(
          {marker->data + sizeof kExifStart, marker->data_length - sizeof kExifStart});
  return {};
}

// Four inks to RGB as PIL does it. Files by Adobe store the inks inverted.
RgbFrame rgb_of_cmyk(const std::vector<std::uint8_t>& inks, int width, int height, bool inverted) {
  RgbFrame picture = blank_frame(width, height);
  for (std::size_t i = 0; i < inks.size() / 4; ++i) {
    const auto ink = [&](int c) { return inverted ? 255 - inks[4 * i + c] : inks[4 * i + c]; };
    const int light = 255 - ink(3);
    for (int c = 0; c < 3; ++c) {
      const int product = ink(c) * light + 128;
      picture.pixels[3 * i + c] =
          static_cast<std::uint8_t>(std::clamp(light - ((product + (product >> 8)) >> 8), 0, 255));
    }
  }
  return picture;
}

}  // namespace

Result<StoredImage> decode_jpeg(Bytes bytes, const MediaLimits& limits) {
  const auto unreadable = [] {
    return fail(ErrorCode::media_unreadable, "the picture is a damaged JPEG file");
  };
  Decoder decoder(bytes);
  jpeg_decompress_struct& jpeg = decoder.jpeg;
  if (!decoder.read_header()) return unreadable();
  const int width = static_cast<int>(jpeg.image_width);
  const int height = static_cast<int>(jpeg.image_height);
  TRU_CHECK(check_picture_size(width, height, limits));

  StoredImage image;
  image.orientation = find_orientation(jpeg);
  if (jpeg.out_color_space == JCS_CMYK) {
    std::vector<std::uint8_t> inks(std::size_t{4} * width * height);
    if (!decoder.read_rows(inks.data(), std::size_t{4} * width)) return unreadable();
    image.picture = rgb_of_cmyk(inks, width, height, jpeg.saw_Adobe_marker);
  } else {
    image.picture = blank_frame(width, height);
    if (!decoder.read_rows(image.picture.pixels.data(), std::size_t{3} * width))
      return unreadable();
  }
  image.cut_off = decoder.errors.num_warnings > 0;
  return image;
}

}  // namespace tru::media
