#include "backend/remote/frame_code.h"

#include <jpeglib.h>
#include <png.h>

#include <cstdlib>
#include <memory>
#include <vector>

#include "base/assert.h"
#include "base/base64.h"

namespace tru::backend {
namespace {

constexpr int kJpegQuality = 95;

using Bytes = std::vector<std::uint8_t>;

// Fails only for want of memory, and then ends the program by the library's default handler.
Bytes encode_jpeg(const RgbFrame& frame) {
  jpeg_error_mgr errors;
  jpeg_compress_struct jpeg;
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* data = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&jpeg, &data, &size);
  jpeg.image_width = static_cast<JDIMENSION>(frame.width);
  jpeg.image_height = static_cast<JDIMENSION>(frame.height);
  jpeg.input_components = 3;
  jpeg.in_color_space = JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, kJpegQuality, TRUE);
  jpeg.comp_info[0].h_samp_factor = 1;  // 4:4:4
  jpeg.comp_info[0].v_samp_factor = 1;
  jpeg_start_compress(&jpeg, TRUE);
  const std::size_t stride = 3 * static_cast<std::size_t>(frame.width);
  while (jpeg.next_scanline < jpeg.image_height) {
    auto* row = const_cast<std::uint8_t*>(frame.pixels.data()) + jpeg.next_scanline * stride;
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  const std::unique_ptr<unsigned char, decltype(&std::free)> owner(data, std::free);
  return Bytes(data, data + size);
}

Bytes encode_png(const RgbFrame& frame) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(frame.width);
  png.height = static_cast<png_uint_32>(frame.height);
  png.format = PNG_FORMAT_RGB;
  png.flags = PNG_IMAGE_FLAG_FAST;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
  Bytes bytes(size);
  const int done =
      png_image_write_to_memory(&png, bytes.data(), &size, 0, frame.pixels.data(), 0, nullptr);
  TRU_ASSERT(done != 0);
  bytes.resize(size);
  return bytes;
}

}  // namespace

std::string encode_frame(const RgbFrame& frame, FrameFormat format) {
  return encode_base64(format == FrameFormat::png ? encode_png(frame) : encode_jpeg(frame));
}

}  // namespace tru::backend
