#include "media/deep_chroma.h"

extern "C" {
#include <libavutil/pixdesc.h>
}

#include <algorithm>
#include <bit>

#include "base/assert.h"

namespace tru::media {
namespace {

constexpr int kBits = 14;

const std::uint16_t* row_of(const AVFrame& frame, int plane, int y) {
  return reinterpret_cast<const std::uint16_t*>(frame.data[plane] +
                                                std::ptrdiff_t{y} * frame.linesize[plane]);
}

std::uint16_t* row_of(AVFrame& frame, int plane, int y) {
  return reinterpret_cast<std::uint16_t*>(frame.data[plane] +
                                          std::ptrdiff_t{y} * frame.linesize[plane]);
}

}  // namespace

bool has_deep_chroma_rows(AVPixelFormat format) {
  constexpr std::uint64_t kOther =
      AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_ALPHA | AV_PIX_FMT_FLAG_BE | AV_PIX_FMT_FLAG_BITSTREAM;
  const AVPixFmtDescriptor* description = av_pix_fmt_desc_get(format);
  return std::endian::native == std::endian::little && description != nullptr &&
         description->nb_components == 3 && (description->flags & AV_PIX_FMT_FLAG_PLANAR) &&
         !(description->flags & kOther) && description->comp[1].plane == 1 &&
         description->comp[0].shift == 0 && description->comp[0].depth > 8 &&
         description->comp[0].depth <= 12 && description->log2_chroma_w == 1 &&
         description->log2_chroma_h == 1;
}

AvPtr<AVFrame> interpolate_chroma_rows(const AVFrame& frame) {
  const int depth = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format))->comp[0].depth;
  AvPtr<AVFrame> result(av_frame_alloc());
  TRU_ASSERT(result != nullptr);
  result->width = frame.width;
  result->height = frame.height;
  result->format = AV_PIX_FMT_YUV422P14LE;
  if (av_frame_get_buffer(result.get(), 0) < 0) return nullptr;
  av_frame_copy_props(result.get(), &frame);

  for (int y = 0; y < frame.height; ++y) {
    const std::uint16_t* from = row_of(frame, 0, y);
    std::uint16_t* to = row_of(*result, 0, y);
    for (int x = 0; x < frame.width; ++x)
      to[x] = static_cast<std::uint16_t>(from[x] << (kBits - depth));
  }
  const int chroma_width = (frame.width + 1) / 2;
  const int chroma_height = (frame.height + 1) / 2;
  const bool on_even_rows =
      frame.chroma_location == AVCHROMA_LOC_TOPLEFT || frame.chroma_location == AVCHROMA_LOC_TOP;
  for (int plane = 1; plane <= 2; ++plane)
    for (int y = 0; y < frame.height; ++y) {
      // Weights in quarters. Chroma lies between two rows, or on the even ones.
      const int step = on_even_rows || y % 2 == 1 ? 1 : -1;
      const int far_weight = on_even_rows ? (y % 2) * 2 : 1;
      const std::uint16_t* near = row_of(frame, plane, y / 2);
      const std::uint16_t* far =
          row_of(frame, plane, std::clamp(y / 2 + step, 0, chroma_height - 1));
      std::uint16_t* to = row_of(*result, plane, y);
      for (int x = 0; x < chroma_width; ++x)
        to[x] = static_cast<std::uint16_t>(((4 - far_weight) * near[x] + far_weight * far[x])
                                           << (kBits - 2 - depth));
    }
  return result;
}

}  // namespace tru::media
