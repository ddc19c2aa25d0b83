extern "C" {
#include <libavutil/pixdesc.h>
}

#include <cstring>

#include "base/assert.h"
#include "media/av.h"
#include "media/demuxer.h"
#include "media/image_formats.h"
#include "media/rgb_frame.h"

namespace tru::media {
namespace {

AVCodecID codec_of(ImageFormat format) {
  switch (format) {
    case ImageFormat::png:
      return AV_CODEC_ID_PNG;
    case ImageFormat::webp:
      return AV_CODEC_ID_WEBP;
    case ImageFormat::bmp:
      return AV_CODEC_ID_BMP;
    case ImageFormat::gif:
      return AV_CODEC_ID_GIF;
    default:
      return AV_CODEC_ID_NONE;
  }
}

// The first picture in the file; null if it cannot be decoded.
AvPtr<AVFrame> decode(AVCodecID id, Bytes bytes, std::int64_t max_pixels) {
  const AVCodec* decoder = avcodec_find_decoder(id);
  if (decoder == nullptr) return nullptr;
  const AvPtr<AVCodecContext> codec(avcodec_alloc_context3(decoder));
  const AvPtr<AVPacket> packet(av_packet_alloc());
  AvPtr<AVFrame> frame(av_frame_alloc());
  TRU_ASSERT(codec && packet && frame);
  codec->max_pixels = max_pixels;
  codec->thread_count = 1;
  if (avcodec_open2(codec.get(), decoder, nullptr) < 0) return nullptr;
  if (av_new_packet(packet.get(), static_cast<int>(bytes.size())) < 0) return nullptr;
  std::memcpy(packet->data, bytes.data(), bytes.size());
  if (avcodec_send_packet(codec.get(), packet.get()) < 0) return nullptr;
  avcodec_send_packet(codec.get(), nullptr);
  if (avcodec_receive_frame(codec.get(), frame.get()) < 0) return nullptr;
  return frame;
}

// A component of up to 16 bits as 8: high bits of a deep one, a shallow one stretched, as PIL does.
std::uint8_t to_byte(int value, int depth) {
  if (depth >= 8) return static_cast<std::uint8_t>(value >> (depth - 8));
  return static_cast<std::uint8_t>(value * 255 / ((1 << depth) - 1));
}

RgbFrame rgb_of_palette(const AVFrame& frame) {
  RgbFrame picture = blank_frame(frame.width, frame.height);
  std::uint8_t* to = picture.pixels.data();
  for (int y = 0; y < frame.height; ++y)
    for (int x = 0; x < frame.width; ++x, to += 3) {
      const std::uint8_t entry = frame.data[0][std::ptrdiff_t{y} * frame.linesize[0] + x];
      std::uint32_t colour;  // 0xAARRGGBB
      std::memcpy(&colour, frame.data[1] + 4 * entry, sizeof colour);
      to[0] = static_cast<std::uint8_t>(colour >> 16);
      to[1] = static_cast<std::uint8_t>(colour >> 8);
      to[2] = static_cast<std::uint8_t>(colour);
    }
  return picture;
}

// RGB or grey of any depth and order, with or without transparency, which is dropped.
RgbFrame rgb_of_components(const AVFrame& frame, const AVPixFmtDescriptor& format) {
  RgbFrame picture = blank_frame(frame.width, frame.height);
  const bool grey = format.nb_components < 3;
  std::vector<std::uint16_t> line(frame.width);
  for (int y = 0; y < frame.height; ++y)
    for (int c = 0; c < 3; ++c) {
      const int component = grey ? 0 : c;
      av_read_image_line(line.data(), const_cast<const std::uint8_t**>(frame.data), frame.linesize,
                         &format, 0, y, component, frame.width, 0);
      std::uint8_t* to = picture.pixels.data() + std::size_t{3} * y * frame.width + c;
      for (int x = 0; x < frame.width; ++x)
        to[std::size_t{3} * x] = to_byte(line[x], format.comp[component].depth);
    }
  return picture;
}

// WebP's lossy pictures: BT.601, limited range, chroma interpolated.
Result<RgbFrame> rgb_of_yuv(const AVFrame& frame) {
  const AvPtr<SwsContext> scaler(sws_getContext(
      frame.width, frame.height, static_cast<AVPixelFormat>(frame.format), frame.width,
      frame.height, AV_PIX_FMT_RGB24, SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, nullptr,
      nullptr, nullptr));
  if (scaler == nullptr)
    return fail(ErrorCode::media_unsupported, "the picture's colour format is not supported");
  AvPtr<AVFrame> rgb(av_frame_alloc());
  TRU_ASSERT(rgb != nullptr);
  rgb->width = frame.width;
  rgb->height = frame.height;
  rgb->format = AV_PIX_FMT_RGB24;
  TRU_ASSERT(av_frame_get_buffer(rgb.get(), 0) >= 0);
  sws_scale(scaler.get(), frame.data, frame.linesize, 0, frame.height, rgb->data, rgb->linesize);
  return rgb_of_components(*rgb, *av_pix_fmt_desc_get(AV_PIX_FMT_RGB24));
}

}  // namespace

Result<StoredImage> decode_with_libav(ImageFormat format, Bytes bytes, const MediaLimits& limits) {
  silence_libav();
  const FrameSize size = header_size(format, bytes);
  TRU_CHECK(check_picture_size(size.width, size.height, limits));
  const AvPtr<AVFrame> frame = decode(codec_of(format), bytes, limits.max_pixels);
  if (frame == nullptr)
    return fail(ErrorCode::media_unreadable, "the picture is damaged, or an animated WebP");
  TRU_CHECK(check_picture_size(frame->width, frame->height, limits));
  StoredImage image;
  image.orientation = exif_orientation(find_exif(format, bytes));
  const auto* description = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame->format));
  TRU_ASSERT(description != nullptr);
  const bool grey = description->nb_components < 3;
  if (description->flags & AV_PIX_FMT_FLAG_PAL) {
    image.picture = rgb_of_palette(*frame);
  } else if (grey || (description->flags & AV_PIX_FMT_FLAG_RGB)) {
    image.picture = rgb_of_components(*frame, *description);
  } else {
    TRU_TRY(image.picture, rgb_of_yuv(*frame));
  }
  return image;
}

}  // namespace tru::media
