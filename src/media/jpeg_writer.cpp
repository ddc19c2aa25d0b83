#include "media/jpeg_writer.h"

#include <cstdio>
#include <cstdlib>

#include <jpeglib.h>

#include "base/assert.h"

namespace tru::media {

std::string encode_jpeg(const RgbFrame& frame, int quality) {
  TRU_ASSERT(frame.width > 0 && frame.height > 0);
  jpeg_compress_struct jpeg{};
  jpeg_error_mgr errors{};
  // Its way to fail is to end the program: nothing but a lack of memory can bring it there.
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&jpeg, &bytes, &size);
  jpeg.image_width = static_cast<JDIMENSION>(frame.width);
  jpeg.image_height = static_cast<JDIMENSION>(frame.height);
  jpeg.input_components = 3;
  jpeg.in_color_space = JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, quality, TRUE);
  jpeg_start_compress(&jpeg, TRUE);
  const std::size_t row_bytes = std::size_t{3} * static_cast<std::size_t>(frame.width);
  while (jpeg.next_scanline < jpeg.image_height) {
    // libjpeg only reads the row, but its type does not say so.
    JSAMPROW row = const_cast<JSAMPROW>(frame.pixels.data() + row_bytes * jpeg.next_scanline);
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  std::string file(reinterpret_cast<const char*>(bytes), size);
  std::free(bytes);
  return file;
}

}  // namespace tru::media
