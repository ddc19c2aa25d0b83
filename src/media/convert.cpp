#include "media/convert.h"

extern "C" {
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
}

#include <cstring>

#include "base/assert.h"
#include "media/deep_chroma.h"
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
  if (!has_deep_chroma_rows(static_cast<AVPixelFormat>(frame.format))) return scale(frame);
  const AvPtr<AVFrame> interpolated = interpolate_chroma_rows(frame);
  if (interpolated == nullptr)
    return fail(ErrorCode::media_unreadable, "no memory for a picture of {} x {}", frame.width,
                frame.height);
  return scale(*interpolated);
}

Result<RgbFrame> RgbConverter::scale(const AVFrame& frame) {
  const Settings settings = settings_of(frame);
  if (scaler_ == nullptr || settings != settings_) TRU_CHECK(configure(settings));
  sws_scale(scaler_.get(), frame.data, frame.linesize, 0, frame.height, rgb_->data, rgb_->linesize);
  RgbFrame picture = blank_frame(frame.width, frame.height);
  const std::size_t row_bytes = std::size_t{3} * frame.width;
  for (int y = 0; y < frame.height; ++y)
    std::memcpy(picture.pixels.data() + y * row_bytes,
                rgb_->data[0] + std::ptrdiff_t{y} * rgb_->linesize[0], row_bytes);
  return picture;
}

RgbConverter::Settings RgbConverter::settings_of(const AVFrame& frame) {
  const AVPixFmtDescriptor* format = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
  const bool at_left =
      frame.chroma_location == AVCHROMA_LOC_LEFT || frame.chroma_location == AVCHROMA_LOC_TOPLEFT;
  return {.width = frame.width,
          .height = frame.height,
          .format = frame.format,
          .matrix = swscale_matrix(frame.colorspace),
          .full_range = frame.color_range == AVCOL_RANGE_JPEG,
          // The converters for 8 bits take no notice of it.
          .chroma_at_left = at_left && format != nullptr && format->comp[0].depth > 8};
}

Status RgbConverter::configure(const Settings& settings) {
  scaler_.reset(sws_alloc_context());
  TRU_ASSERT(scaler_ != nullptr);
  av_opt_set_int(scaler_.get(), "srcw", settings.width, 0);
  av_opt_set_int(scaler_.get(), "srch", settings.height, 0);
  av_opt_set_int(scaler_.get(), "dstw", settings.width, 0);
  av_opt_set_int(scaler_.get(), "dsth", settings.height, 0);
  av_opt_set_int(scaler_.get(), "src_format", settings.format, 0);
  av_opt_set_int(scaler_.get(), "dst_format", AV_PIX_FMT_RGB24, 0);
  av_opt_set_int(scaler_.get(), "sws_flags", SWS_BILINEAR, 0);
  if (settings.chroma_at_left) av_opt_set_int(scaler_.get(), "src_h_chr_pos", 0, 0);
  constexpr int kUnity = 1 << 16;
  const int* coefficients = sws_getCoefficients(settings.matrix);
  sws_setColorspaceDetails(scaler_.get(), coefficients, settings.full_range, coefficients, 1, 0,
                           kUnity, kUnity);
  if (sws_init_context(scaler_.get(), nullptr, nullptr) < 0) {
    scaler_.reset();
    return fail(ErrorCode::media_unreadable, "pictures of the format {} cannot be converted",
                settings.format);
  }
  // libswscale's vector code wants rows with padding: pictures are packed afterwards.
  rgb_.reset(av_frame_alloc());
  TRU_ASSERT(rgb_ != nullptr);
  rgb_->width = settings.width;
  rgb_->height = settings.height;
  rgb_->format = AV_PIX_FMT_RGB24;
  if (av_frame_get_buffer(rgb_.get(), 0) < 0) {
    scaler_.reset();
    return fail(ErrorCode::media_unreadable, "no memory for a picture of {} x {}", settings.width,
                settings.height);
  }
  settings_ = settings;
  return {};
}

}  // namespace tru::media
