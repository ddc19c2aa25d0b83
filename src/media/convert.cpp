#include "media/convert.h"

extern "C" {
#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
}

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "media/rgb_frame.h"

namespace tru::media {
namespace {

int swscale_matrix(AVColorSpace space) {
  switch (space) {
    case AVCOL_SPC_BT709:
      return SWS_CS_ITU709;
    case AVCOL_SPC_FCC:
      return SWS_CS_FCC;
    case AVCOL_SPC_SMPTE240M:
      return SWS_CS_SMPTE240M;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
      return SWS_CS_BT2020;
    default:
      return SWS_CS_ITU601;
  }
}

}  // namespace

Result<RgbFrame> RgbConverter::convert(const AVFrame& frame) {
  const int matrix = swscale_matrix(frame.colorspace);
  const bool full_range = frame.color_range == AVCOL_RANGE_JPEG;
  const bool same = scaler_ != nullptr && frame.width == width_ && frame.height == height_ &&
                    frame.format == format_ && matrix == matrix_ && full_range == full_range_;
  if (!same) {
    const auto format = static_cast<AVPixelFormat>(frame.format);
    scaler_.reset(sws_getContext(frame.width, frame.height, format, frame.width, frame.height,
                                 AV_PIX_FMT_RGB24, SWS_BILINEAR, nullptr, nullptr, nullptr));
    if (scaler_ == nullptr)
      return fail(ErrorCode::media_unreadable, "pictures of the format {} cannot be converted",
                  frame.format);
    const int* coefficients = sws_getCoefficients(matrix);
    constexpr int kUnity = 1 << 16;
    sws_setColorspaceDetails(scaler_.get(), coefficients, full_range, coefficients, 1, 0, kUnity,
                             kUnity);
    // libswscale's vector code wants rows with padding: pictures are packed afterwards.
    rgb_.reset(av_frame_alloc());
    TRU_ASSERT(rgb_ != nullptr);
    rgb_->width = width_ = frame.width;
    rgb_->height = height_ = frame.height;
    rgb_->format = AV_PIX_FMT_RGB24;
    if (av_frame_get_buffer(rgb_.get(), 0) < 0)
      return fail(ErrorCode::media_unreadable, "no memory for a picture of {} x {}", frame.width,
                  frame.height);
    format_ = frame.format;
    matrix_ = matrix;
    full_range_ = full_range;
  }
  sws_scale(scaler_.get(), frame.data, frame.linesize, 0, frame.height, rgb_->data, rgb_->linesize);
  RgbFrame picture = blank_frame(frame.width, frame.height);
  const std::size_t row_bytes = std::size_t{3} * frame.width;
  for (int y = 0; y < frame.height; ++y)
    std::memcpy(picture.pixels.data() + y * row_bytes,
                rgb_->data[0] + std::ptrdiff_t{y} * rgb_->linesize[0], row_bytes);
  return picture;
}

}  // namespace tru::media
