#include "media/image_file.h"

#include <gmock/gmock.h>

#include "media/image_formats.h"
#include "media/test_clips.h"
#include "media/test_media.h"

namespace tru::media {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<std::uint8_t> read_bytes(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::uint8_t> bytes_of(std::string_view text) {
  return {text.begin(), text.end()};
}

// One picture of many colours, in a format that keeps every pixel.
fs::path make_picture(const std::string& name, const std::string& options = "") {
  make_clip("source.png", "-f lavfi -i testsrc2=size=84x62:rate=1 -frames:v 1 -pix_fmt rgb24");
  return make_clip(name, "-i source.png " + options);
}

TEST(Image, LosslessFormatsGiveTheSamePixels) {
  const auto source = ImageFile::open(make_picture("source.png"));
  ASSERT_TRUE(source.has_value()) << source.error().message;
  EXPECT_EQ(source->size(), (FrameSize{84, 62}));
  struct Format {
    const char* name;
    const char* options;
    const char* format;
  };
  for (const Format& format :
       {Format{"copy.bmp", "-pix_fmt bgr24", "bmp"}, Format{"copy32.bmp", "-pix_fmt bgra", "bmp"},
        Format{"alpha.png", "-pix_fmt rgba", "png"},
        Format{"copy.webp", "-c:v libwebp -lossless 1 -pix_fmt bgra", "webp"}}) {
    const auto image = ImageFile::open(make_picture(format.name, format.options));
    ASSERT_TRUE(image.has_value()) << image.error().message;
    EXPECT_EQ(image->format(), format.format);
    EXPECT_EQ(image->picture().pixels, source->picture().pixels) << format.name;
    EXPECT_THAT(image->warnings(), IsEmpty());
  }
}

// 16 bits a channel: the high ones are kept, whatever ffmpeg rounds when it makes the file.
TEST(Image, DeepColoursAreCutToEightBits) {
  const auto source = ImageFile::open(make_picture("source.png"));
  for (const char* format : {"rgb48be", "rgba64be"}) {
    const auto deep = ImageFile::open(
        make_picture(fmt::format("{}.png", format), fmt::format("-pix_fmt {}", format)));
    ASSERT_TRUE(deep.has_value()) << deep.error().message;
    for (std::size_t i = 0; i < source->picture().pixels.size(); ++i)
      ASSERT_NEAR(source->picture().pixels[i], deep->picture().pixels[i], 1) << format;
  }
}

TEST(Image, GreyAndPalettesBecomeRgb) {
  for (const char* name : {"gray.png", "gray16.png"}) {
    const bool deep = std::string_view(name) == "gray16.png";
    const auto image =
        ImageFile::open(make_picture(name, deep ? "-pix_fmt gray16be" : "-pix_fmt gray"));
    for (std::size_t i = 0; i < image->picture().pixels.size(); i += 3)
      ASSERT_EQ(image->picture().pixels[i], image->picture().pixels[i + 2]);
  }
  // Black and white, a bit each.
  const auto bits = ImageFile::open(make_picture("bits.png", "-pix_fmt monob"));
  EXPECT_THAT(bits->picture().pixels, testing::Each(testing::AnyOf(0, 255)));
  // Both formats keep the palette's colours.
  const auto gif = ImageFile::open(make_picture("palette.gif"));
  const auto png = ImageFile::open(make_clip("palette.png", "-i palette.gif -pix_fmt pal8"));
  ASSERT_TRUE(gif.has_value() && png.has_value());
  EXPECT_EQ(gif->picture().pixels, png->picture().pixels);
}

TEST(Image, LossyWebpIsCloseToItsSource) {
  const auto source = ImageFile::open(make_picture("source.png"));
  const auto webp = ImageFile::open(make_picture("lossy.webp", "-c:v libwebp -quality 95"));
  ASSERT_TRUE(webp.has_value()) << webp.error().message;
  double difference = 0;
  for (std::size_t i = 0; i < source->picture().pixels.size(); ++i)
    difference += std::abs(source->picture().pixels[i] - webp->picture().pixels[i]);
  EXPECT_LT(difference / static_cast<double>(source->picture().pixels.size()), 12);
}

// The bytes of an EXIF block that holds nothing but the orientation.
std::string exif_block(int orientation) {
  std::string tiff("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0?\0\0\0\0\0\0", 26);
  tiff[19] = static_cast<char>(orientation);
  return tiff;
}

TEST(Image, JpegsAreTurnedUpright) {
  const std::vector<std::uint8_t> plain = read_bytes(clip("img_tall.jpg"));
  const auto original = ImageFile::decode(plain, "plain.jpg");
  ASSERT_EQ(original->size(), (FrameSize{120, 260}));
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const std::string exif = std::string("Exif\0\0", 6) + exif_block(orientation);
    const std::string marker = std::string("\xff\xe1\0", 3) + static_cast<char>(exif.size() + 2);
    std::vector<std::uint8_t> turned = plain;
    const std::vector<std::uint8_t> inserted = bytes_of(marker + exif);
    turned.insert(turned.begin() + 2, inserted.begin(), inserted.end());
    const auto image = ImageFile::decode(turned, "turned.jpg");
    ASSERT_TRUE(image.has_value()) << image.error().message;
    const Orientation expected = orientation_of_exif(orientation);
    EXPECT_EQ(image->picture().pixels, orient(original->picture(), expected).pixels);
    EXPECT_EQ(image->size().width, orientation >= 5 ? 260 : 120);
  }
}

TEST(Image, ExifIsFoundInPngAndWebp) {
  const std::string exif = exif_block(6);
  const std::string length = std::string("\0\0\0", 3) + static_cast<char>(exif.size());
  const std::vector<std::uint8_t> png =
      bytes_of(std::string("\x89PNG\r\n\x1a\n") + length + "eXIf" + exif + "crc.");
  EXPECT_EQ(exif_orientation(find_exif(ImageFormat::png, png)), orientation_of_exif(6));
  const std::string little(length.rbegin(), length.rend());
  const std::vector<std::uint8_t> webp = bytes_of("RIFF____WEBPEXIF" + little + exif);
  EXPECT_EQ(exif_orientation(find_exif(ImageFormat::webp, webp)), orientation_of_exif(6));
  // Cut anywhere, it is either found or not, and nothing is read past the end.
  for (std::size_t bytes = 0; bytes < webp.size(); ++bytes)
    exif_orientation(find_exif(ImageFormat::webp, Bytes(webp).first(bytes)));
}

TEST(Image, BadFilesHaveOneClearError) {
  const auto error = [](const std::vector<std::uint8_t>& bytes) {
    const auto image = ImageFile::decode(bytes, "x.png");
    EXPECT_FALSE(image.has_value());
    EXPECT_THAT(image.error().message, AllOf(HasSubstr("x.png"), Not(HasSubstr("\n"))));
    return image.error().code;
  };
  EXPECT_EQ(ImageFile::open("/nowhere/x.png").error().code, ErrorCode::media_not_found);
  EXPECT_EQ(error({}), ErrorCode::media_empty);
  EXPECT_EQ(error(bytes_of("hello")), ErrorCode::media_unsupported);
  EXPECT_EQ(error(bytes_of("\xff\xd8\xff\xe0 no more")), ErrorCode::media_unreadable);
  std::vector<std::uint8_t> png = read_bytes(clip("img_odd.png"));
  png.resize(60);
  EXPECT_EQ(error(png), ErrorCode::media_unreadable);
  png[16] = 1;  // 16 million pixels wide
  EXPECT_EQ(error(png), ErrorCode::media_dimensions);
  EXPECT_EQ(ImageFile::open(make_clip("thin.png", "-f lavfi -i color=size=3000x10 -frames:v 1"))
                .error()
                .code,
            ErrorCode::media_dimensions);
}

TEST(Image, ACutOffJpegIsUsedWithAWarning) {
  std::vector<std::uint8_t> jpeg = read_bytes(clip("img_tall.jpg"));
  jpeg.resize(jpeg.size() / 2);
  const auto image = ImageFile::decode(jpeg, "half.jpg");
  ASSERT_TRUE(image.has_value());
  EXPECT_THAT(image->warnings(), testing::ElementsAre(HasSubstr("cut off")));
}

TEST(Image, FillsBothPlacesOfATemporalPatch) {
  const auto image = ImageFile::open(clip("img_odd.png"));
  const FramePair pair = image->frames({320, 224});
  EXPECT_EQ(pair.first, pair.second);
  EXPECT_EQ(pair.first->width, 320);
  EXPECT_EQ(pair.first->height, 224);
}

// Bits flipped anywhere: an error or a picture.
TEST(Image, FlippedBitsDoNoHarm) {
  for (const fs::path& path : {clip("img_odd.png"), clip("img_tall.jpg"), make_picture("copy.bmp"),
                               make_picture("palette.gif"), make_picture("copy.webp")}) {
    const std::vector<std::uint8_t> bytes = read_bytes(path);
    unsigned state = 1;
    for (int round = 0; round < 60; ++round) {
      std::vector<std::uint8_t> damaged = bytes;
      for (int i = 0; i < 8; ++i) {
        state = state * 1664525 + 1013904223;
        const std::size_t range = i < 2 ? std::min<std::size_t>(64, bytes.size()) : bytes.size();
        damaged[(state >> 8) % range] ^= static_cast<std::uint8_t>(1 << (state >> 29));
      }
      ImageFile::decode(damaged, "damaged");
    }
  }
}

}  // namespace
}  // namespace tru::media
