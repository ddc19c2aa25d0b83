// Files that are damaged, cut off, hostile or no videos at all: one clear error, or what is there.
#include <gmock/gmock.h>

#include <random>

#include "media/decode.h"
#include "media/test_clips.h"
#include "media/test_media.h"

namespace tru::media {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

fs::path write_file(const std::string& name, const std::string& bytes) {
  const fs::path path = clip_folder() / name;
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

void expect_error(const fs::path& path, ErrorCode code, const std::string& words) {
  const auto video = VideoFile::open(path);
  ASSERT_FALSE(video.has_value()) << path;
  EXPECT_EQ(to_string(video.error().code), to_string(code)) << video.error().message;
  EXPECT_THAT(video.error().message, AllOf(HasSubstr(words), Not(HasSubstr("\n")))) << path;
}

std::string x264(const std::string& options = "") {
  return " -c:v libx264 -preset veryfast -pix_fmt yuv420p " + options;
}

TEST(BadFiles, HaveOneClearError) {
  expect_error("/nowhere/x.mp4", ErrorCode::media_not_found, "/nowhere/x.mp4");
  expect_error(clip_folder(), ErrorCode::media_not_found, "not a file");
  expect_error(write_file("empty.mp4", ""), ErrorCode::media_empty, "empty");
  expect_error(write_file("text.mp4", "This is not a video.\n"), ErrorCode::media_unsupported,
               "text.mp4");
  expect_error(write_file("page.mp4", "<html><body>404</body></html>"),
               ErrorCode::media_unsupported, "not an mp4");
  expect_error(clip("img_odd.png"), ErrorCode::media_unsupported, "img_odd.png");
  expect_error(write_file("ftyp.mp4", std::string("\0\0\0\x14"
                                                  "ftypisom\0\0\0\0isom",
                                                  20)),
               ErrorCode::media_unreadable, "damaged");
  expect_error(make_clip("sound.mp4", "-f lavfi -i sine=duration=1 -c:a aac"),
               ErrorCode::media_no_video, "only sound");
  make_clip("cover.png", picture(64, 64, "1", 1) + " -frames:v 1");
  expect_error(make_clip("cover.m4a",
                         "-f lavfi -i sine=duration=1 -i cover.png -map 0 -map 1 "
                         "-c:a aac -c:v png -disposition:v:0 attached_pic -f mp4"),
               ErrorCode::media_no_video, "cover");
  expect_error(make_clip("rare.mkv", picture(64, 64, "5", 1) + " -c:v magicyuv"),
               ErrorCode::media_unsupported, "magicyuv");
  expect_error(make_clip("jpeg2000.mov", picture(64, 64, "5", 1) + " -c:v jpeg2000"),
               ErrorCode::media_unsupported, "jpeg2000");
  expect_error(make_clip("stream.ts", picture(64, 64, "5", 1) + x264() + " -f mpegts"),
               ErrorCode::media_unsupported, "stream.ts");
}

// These name another file, which must not be opened.
TEST(BadFiles, PlaylistsAreNotFollowed) {
  make_clip("victim.mp4", picture(64, 64, "25", 1) + x264());
  expect_error(write_file("concat.mp4", "ffconcat version 1.0\nfile victim.mp4\n"),
               ErrorCode::media_unsupported, "concat.mp4");
  expect_error(write_file("hls.mp4",
                          "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nvictim.mp4\n"
                          "#EXT-X-ENDLIST\n"),
               ErrorCode::media_unsupported, "hls.mp4");
}

TEST(BadFiles, PicturesTooLargeOrTooThinAreRefused) {
  expect_error(make_clip("wide.avi",
                         "-f lavfi -i color=size=8208x16:rate=5:duration=0.4 "
                         "-c:v mjpeg -pix_fmt yuvj420p"),
               ErrorCode::media_dimensions, "8208 x 16");
  expect_error(make_clip("large.avi",
                         "-f lavfi -i color=size=8000x4400:rate=5:duration=0.2 "
                         "-c:v mjpeg -pix_fmt yuvj420p"),
               ErrorCode::media_dimensions, "33.2");
  expect_error(make_clip("thin.avi",
                         "-f lavfi -i color=size=3216x16:rate=5:duration=0.4 "
                         "-c:v mjpeg -pix_fmt yuvj420p"),
               ErrorCode::media_dimensions, "200");
  const auto longest = VideoFile::open(
      make_clip("long.avi",
                "-f lavfi -i color=size=3200x16:rate=5:duration=0.4 -c:v mjpeg -pix_fmt yuvj420p"));
  EXPECT_TRUE(longest.has_value());
}

TEST(BadFiles, TooManyTracksOrFramesAreRefused) {
  std::string sounds;
  for (int i = 0; i < 17; ++i) sounds += " -map 1";
  expect_error(
      make_clip("tracks.mp4", picture(64, 64, "25", 1) + " -f lavfi -i sine=duration=1 -map 0" +
                                  sounds + x264() + " -c:a aac"),
      ErrorCode::media_unsupported, "18 tracks");
  MediaLimits limits;
  limits.max_packets = 49;
  EXPECT_EQ(VideoFile::open(clip("late_start.mp4"), limits).error().code,
            ErrorCode::media_too_long);
  limits = {};
  limits.max_duration_s = 1;
  EXPECT_EQ(VideoFile::open(clip("late_start.mp4"), limits).error().code,
            ErrorCode::media_too_long);
}

struct Outcome {
  bool opened = false;
  int frames = 0;     // listed
  int delivered = 0;  // of 8
  bool decoded = false;
  std::vector<std::string> warnings;  // of opening and decoding
};

// Opens and decodes 8 frames; every step may fail, but in order.
Outcome watch(const fs::path& path) {
  Outcome outcome;
  const auto video = VideoFile::open(path);
  if (!video) return outcome;
  outcome.opened = true;
  outcome.frames = video->info().frames_total;
  outcome.warnings = video->info().warnings;
  const auto plan =
      plan_video(video->info(), video->frame_times_s(), {.num_frames = 8}, {}, {4096, 1 << 24});
  if (!plan) return outcome;
  const auto stream = decode_frames(*video, *plan);
  for (;;) {
    const auto pair = stream->next();
    if (!pair) return outcome;
    if (!*pair) break;
    EXPECT_EQ((*pair)->second->width, plan->size.width);
    EXPECT_EQ((*pair)->second->pixels.size(),
              std::size_t{3} * plan->size.width * plan->size.height);
  }
  outcome.decoded = true;
  outcome.delivered = stream->frames_delivered();
  outcome.warnings.insert(outcome.warnings.end(), stream->warnings().begin(),
                          stream->warnings().end());
  return outcome;
}

class CutOff : public testing::TestWithParam<const char*> {};

TEST_P(CutOff, WhatIsThereIsSeen) {
  const std::string name = GetParam();
  const std::string faststart = name.ends_with("mp4") ? " -movflags +faststart" : "";
  const std::string bytes =
      read_file(make_clip(name, picture(160, 96, "25", 4) + x264("-bf 2 -g 25" + faststart)));
  const int all = watch(clip_folder() / name).frames;
  EXPECT_EQ(all, 100);
  int last = 0;
  for (const int percent : {20, 35, 50, 65, 80, 95}) {
    SCOPED_TRACE(percent);
    const Outcome outcome =
        watch(write_file("cut_" + name, bytes.substr(0, bytes.size() * percent / 100)));
    EXPECT_TRUE(outcome.decoded);
    EXPECT_GT(outcome.frames, last);
    EXPECT_LT(outcome.frames, all);
    EXPECT_GE(outcome.delivered, 7);
    EXPECT_THAT(outcome.warnings, Contains(HasSubstr("cut off")));
    last = outcome.frames;
  }
}

INSTANTIATE_TEST_SUITE_P(All, CutOff, testing::Values("cut.mp4", "cut.mkv", "cut.avi"),
                         [](const testing::TestParamInfo<const char*>& name) {
                           return std::string(name.param).substr(4);
                         });

TEST(Damaged, WholeFilesAreNotCalledCutOff) {
  for (const char* name : {"clip.mkv", "clip.avi", "clip.mov", "clip.webm", "vfr.mp4"})
    EXPECT_THAT(watch(clip(name)).warnings, IsEmpty()) << name;
}

// The middle of the file is overwritten: the rest is used, and it is said.
TEST(Damaged, AHoleInTheMiddleIsBridged) {
  std::string bytes = read_file(
      make_clip("hole.mp4", picture(160, 96, "25", 4) + x264("-bf 0 -g 10 -movflags +faststart")));
  std::fill(bytes.begin() + bytes.size() * 4 / 10, bytes.begin() + bytes.size() * 7 / 10, '\0');
  const Outcome outcome = watch(write_file("holed.mp4", bytes));
  EXPECT_TRUE(outcome.decoded);
  EXPECT_EQ(outcome.delivered, 8);
  EXPECT_THAT(outcome.warnings, Contains(HasSubstr("stand in")));
}

TEST(Damaged, NothingDecodableIsUnreadable) {
  std::string bytes =
      read_file(make_clip("whole.mp4", picture(160, 96, "25", 1) + x264("-movflags +faststart")));
  const std::size_t data = bytes.find("mdat") + 4;
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(data), bytes.end(), '\0');
  const fs::path path = write_file("zeros.mp4", bytes);
  const auto video = VideoFile::open(path);
  ASSERT_TRUE(video.has_value());
  const auto plan = plan_video(video->info(), video->frame_times_s(), {}, {}, {4096, 1 << 24});
  const auto pair = decode_frames(*video, *plan)->next();
  EXPECT_EQ(pair.error().code, ErrorCode::media_unreadable);
}

// Random damage must not end the program nor hang; what comes out is an error or whole frames.
TEST(Damaged, FlippedBitsDoNoHarm) {
  std::mt19937 random(5);
  for (const char* name : {"clip.mkv", "clip.avi", "clip.mov", "clip.webm", "vfr.mp4"}) {
    const std::string bytes = read_file(clip(name));
    for (int round = 0; round < 12; ++round) {
      std::string damaged = bytes;
      for (int i = 0; i < 20; ++i) damaged[random() % damaged.size()] ^= 1 << (random() % 8);
      if (round % 3 == 0) damaged[random() % 200] ^= 1 << (random() % 8);
      watch(write_file("flipped", damaged));
    }
  }
}

// A table in the header claims 40 million samples in a file of 4 kB.
TEST(Damaged, LyingHeadersCostLittle) {
  std::string bytes = read_file(clip("one_frame.mp4"));
  const std::size_t table = bytes.find("stsz");
  ASSERT_NE(table, std::string::npos);
  bytes.replace(table + 8, 8, std::string("\0\0\0\1\x02\x62\x5a\x00", 8));
  limit_allocations();
  EXPECT_LE(watch(write_file("claims.mp4", bytes)).frames, 1);
}

}  // namespace
}  // namespace tru::media
