#include "media/convert.h"

#include <gmock/gmock.h>

#include "media/deep_chroma.h"

namespace tru::media {
namespace {

using testing::ElementsAre;

// Grey, 64 x 64, but for one chroma sample in column 16 and row 16.
AvPtr<AVFrame> one_coloured_sample(AVPixelFormat format, AVChromaLocation location) {
  AvPtr<AVFrame> frame(av_frame_alloc());
  frame->width = frame->height = 64;
  frame->format = format;
  frame->chroma_location = location;
  EXPECT_EQ(av_frame_get_buffer(frame.get(), 0), 0);
  const int chroma_height = format == AV_PIX_FMT_YUV420P10LE ? 32 : 64;
  const auto fill = [&](int plane, int width, int height, std::uint16_t value) {
    for (int y = 0; y < height; ++y) {
      auto* row = reinterpret_cast<std::uint16_t*>(frame->data[plane] +
                                                   std::ptrdiff_t{y} * frame->linesize[plane]);
      std::fill(row, row + width, value);
      if (plane == 1 && y == 16) row[16] = 612;
    }
  };
  fill(0, 64, 64, 500);
  fill(1, 32, chroma_height, 512);
  fill(2, 32, chroma_height, 512);
  return frame;
}

// By how much blue is changed in column 32, from row first.
std::vector<int> blue_changes(const RgbFrame& picture, int first, int count) {
  std::vector<int> changes;
  for (int y = first; y < first + count; ++y)
    changes.push_back(picture.pixels[3 * (std::size_t(y) * 64 + 32) + 2] - picture.pixels[2]);
  return changes;
}

// The numbers are those of PyAV 18.1 (libswscale 9.5), the reference's decoder.
TEST(Convert, DeepChromaIsInterpolatedBetweenRows) {
  RgbConverter converter;
  const auto blue = [&](AVPixelFormat format, AVChromaLocation location, int first) {
    return blue_changes(*converter.convert(*one_coloured_sample(format, location)), first, 6);
  };
  EXPECT_THAT(blue(AV_PIX_FMT_YUV420P10LE, AVCHROMA_LOC_UNSPECIFIED, 30),
              ElementsAre(0, 13, 39, 39, 13, 0));
  EXPECT_THAT(blue(AV_PIX_FMT_YUV422P10LE, AVCHROMA_LOC_UNSPECIFIED, 14),
              ElementsAre(0, 0, 51, 0, 0, 0));
}

TEST(Convert, DeepChromaOnEvenRowsStaysThere) {
  RgbConverter converter;
  const auto frame = one_coloured_sample(AV_PIX_FMT_YUV420P10LE, AVCHROMA_LOC_TOP);
  const auto interpolated = interpolate_chroma_rows(*frame);
  std::vector<int> samples;
  for (int y = 30; y < 35; ++y)
    samples.push_back(reinterpret_cast<const std::uint16_t*>(
        interpolated->data[1] + std::ptrdiff_t{y} * interpolated->linesize[1])[16]);
  EXPECT_THAT(samples, ElementsAre(512 * 16, 562 * 16, 612 * 16, 562 * 16, 512 * 16));
}

TEST(Convert, OnlyDeepHalfHeightChromaIsInterpolated) {
  EXPECT_TRUE(has_deep_chroma_rows(AV_PIX_FMT_YUV420P10LE));
  EXPECT_TRUE(has_deep_chroma_rows(AV_PIX_FMT_YUV420P12LE));
  for (const AVPixelFormat format :
       {AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV422P10LE, AV_PIX_FMT_YUV444P10LE, AV_PIX_FMT_P010LE,
        AV_PIX_FMT_YUVA420P10LE, AV_PIX_FMT_GRAY10LE, AV_PIX_FMT_GBRP10LE})
    EXPECT_FALSE(has_deep_chroma_rows(format)) << format;
}

}  // namespace
}  // namespace tru::media
