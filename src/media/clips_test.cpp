// Every container and codec, and what is odd about real files: each frame, decoded alone or with
// others, is the one that the ffmpeg program gives for its number, and so is its time.
#include <gmock/gmock.h>

#include <numeric>

#include "media/convert.h"
#include "media/frame_decoder.h"
#include "media/test_clips.h"
#include "media/test_media.h"
#include "media/video_file.h"

namespace tru::media {
namespace {

struct ClipCase {
  const char* name;
  std::string arguments;
  int frames;
  bool same_times = true;   // ffmpeg guesses times where the container has none
  bool same_pixels = true;  // ffmpeg converts deep colours and interlaced frames otherwise
};

void PrintTo(const ClipCase& clip, std::ostream* out) {
  *out << clip.name;
}

std::string small(double duration_s = 2, const std::string& rate = "25") {
  return picture(160, 96, rate, duration_s);
}

std::vector<ClipCase> clip_cases() {
  const std::string x264 = " -c:v libx264 -preset veryfast -pix_fmt yuv420p";
  const std::string x265 = " -c:v libx265 -preset ultrafast -pix_fmt yuv420p -x265-params ";
  const std::string vp9 = " -c:v libvpx-vp9 -cpu-used 8 -deadline realtime -pix_fmt yuv420p";
  return {
      {"h264.mp4", small() + x264 + " -bf 3 -g 12", 50},
      {"h264.mkv", small(2, "30000/1001") + x264 + " -bf 3 -g 12", 60},
      {"h264.mov", small() + x264 + " -bf 2", 50},
      {"h264.avi", small() + x264 + " -bf 3 -g 12", 50, false},
      {"h264_open_gop.mp4", small() + x264 + " -bf 3 -x264-params keyint=12:open-gop=1", 50},
      {"h264_open_gop.avi", small() + x264 + " -bf 3 -x264-params keyint=12:open-gop=1", 50, false},
      {"h264_fragmented.mp4", small() + x264 + " -g 12 -movflags frag_keyframe+empty_moov", 50},
      {"hevc.mp4", small() + x265 + "log-level=none:keyint=12:min-keyint=12:bframes=3", 50},
      {"hevc_open_gop.mkv", small() + x265 + "log-level=none:keyint=12:bframes=3:open-gop=1", 50},
      {"vp8_hidden_frames.webm",
       small(3) + " -c:v libvpx -auto-alt-ref 1 -lag-in-frames 16 -b:v 80k -pix_fmt yuv420p", 75},
      {"vp9.webm", small() + vp9 + " -lag-in-frames 16 -auto-alt-ref 1 -g 16", 50},
      {"vp9.mp4", small() + vp9, 50},
      {"av1.mp4", small() + " -c:v libsvtav1 -preset 12 -g 16 -pix_fmt yuv420p", 50},
      {"av1.mkv", small() + " -c:v libsvtav1 -preset 12 -g 16 -pix_fmt yuv420p", 50},
      {"mpeg4.avi", small() + " -c:v mpeg4 -bf 2 -g 12", 50, false},
      {"mpeg4.mp4", small() + " -c:v mpeg4 -bf 2 -g 12", 50},
      {"msmpeg4.avi", small() + " -c:v msmpeg4 -g 12", 50},
      {"mpeg2.mkv", small() + " -c:v mpeg2video -bf 2 -g 12", 50},
      {"mpeg1.avi", small() + " -c:v mpeg1video -bf 2 -g 12", 50, false},
      {"h263.mov", picture(176, 144, "25", 1) + " -c:v h263", 25},
      {"theora.mkv", small() + " -c:v libtheora", 50},
      {"mjpeg.avi", small() + " -c:v mjpeg -pix_fmt yuvj420p", 50},
      {"prores.mov", small(1) + " -c:v prores_ks", 25},
      {"prores_alpha.mov", small(1) + " -c:v prores_ks -profile:v 4 -pix_fmt yuva444p10le", 25},
      {"ten_bit.mp4", small(1) + " -c:v libx264 -pix_fmt yuv420p10le", 25, true, false},
      {"hdr.mkv",
       small(1) + " -c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -x265-params "
                  "log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc",
       25, true, false},
      {"chroma_422.mp4", small(1) + " -c:v libx264 -pix_fmt yuv422p", 25, true, false},
      {"chroma_444.mp4", small(1) + " -c:v libx264 -pix_fmt yuv444p", 25},
      {"gray.mp4", small(1) + " -c:v libx264 -pix_fmt gray", 25},
      {"full_range.mp4", small(1) + " -c:v libx264 -pix_fmt yuvj420p", 25},
      {"odd_size.webm", picture(161, 97, "25", 1) + vp9, 25},
      {"tiny.mp4", picture(16, 16, "25", 1) + x264, 25},
      {"one_pixel.avi",
       "-f lavfi -i color=red:size=16x16:duration=0.2,format=rgb24,crop=1:1 -c:v mjpeg "
       "-pix_fmt yuvj444p",
       5},
      {"vfr.mkv", small(3) + " -vf select='not(mod(n\\,3))+lt(n\\,20)' -fps_mode vfr" + x264, 38},
      {"late.mkv", "-itsoffset 2 " + small(1) + " -f lavfi -i sine=duration=3 -c:a aac" + x264, 25},
      {"interlaced.mkv",
       small(1, "50") + " -vf interlace=lowpass=0 -c:v mpeg2video -flags +ildct+ilme -bf 2", 25,
       true, false},
  };
}

class Clips : public testing::TestWithParam<ClipCase> {};

// The digests of chosen frames, decoded together; stand-ins are marked.
std::vector<std::string> decode(const VideoFile& video, const std::vector<int>& wanted,
                                int threads) {
  std::vector<std::string> digests;
  auto decoder = FrameDecoder::open(video, wanted, threads, {});
  EXPECT_TRUE(decoder.has_value());
  RgbConverter converter;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto picture = decoder->next();
    EXPECT_TRUE(picture.has_value());
    if (!*picture) break;
    const auto rgb = converter.convert(*(*picture)->frame);
    digests.push_back(((*picture)->stands_in ? "stand-in " : "") + sha256(*rgb));
  }
  return digests;
}

TEST_P(Clips, FramesAreThoseOfTheOracleWhicheverAreChosen) {
  const ClipCase& clip = GetParam();
  const fs::path path = make_clip(clip.name, clip.arguments);
  const auto video = VideoFile::open(path);
  ASSERT_TRUE(video.has_value()) << video.error().message;
  ASSERT_EQ(video->info().frames_total, clip.frames);
  EXPECT_GT(video->info().duration_s, video->frame_times_s().back());

  std::vector<int> all(clip.frames);
  std::iota(all.begin(), all.end(), 0);
  const std::vector<std::string> digests = decode(*video, all, 2);
  const std::vector<OracleFrame> oracle = oracle_frames(path);
  ASSERT_EQ(oracle.size(), digests.size());
  for (int i = 0; i < clip.frames; ++i) {
    if (clip.same_times) {
      EXPECT_NEAR(video->frame_times_s()[i], oracle[i].time_s, 0.0011) << i;
    }
    if (clip.same_pixels) {
      EXPECT_EQ(digests[i], oracle[i].sha256) << i;
    }
  }

  for (const int step : {3, 7, 20, clip.frames - 1})
    for (const int first : {0, 1}) {
      std::vector<int> wanted, expected;
      for (int i = first; i < clip.frames; i += std::max(step, 1)) wanted.push_back(i);
      const std::vector<std::string> chosen = decode(*video, wanted, 1);
      ASSERT_EQ(chosen.size(), wanted.size()) << "every " << step << " from " << first;
      for (std::size_t i = 0; i < wanted.size(); ++i)
        EXPECT_EQ(chosen[i], digests[wanted[i]]) << "frame " << wanted[i] << " of every " << step;
    }
}

INSTANTIATE_TEST_SUITE_P(All, Clips, testing::ValuesIn(clip_cases()),
                         [](const testing::TestParamInfo<ClipCase>& clip_case) {
                           std::string name = clip_case.param.name;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

// An edit list begins inside a group of pictures: what lies before is decoded but not shown.
TEST(ClipsCut, EditListsHideFrames) {
  make_clip("uncut.mp4", small() + " -c:v libx264 -preset veryfast -bf 3 -g 25");
  const fs::path path = make_clip("edit_list.mp4", "-ss 0.48 -i uncut.mp4 -c copy");
  const auto video = VideoFile::open(path);
  const auto packets = static_cast<int>(video->index().packets().size());
  EXPECT_LT(video->info().frames_total, packets);
  const std::vector<OracleFrame> oracle = oracle_frames(path);
  ASSERT_EQ(video->info().frames_total, static_cast<int>(oracle.size()));
  for (const int frame : {0, 5, video->info().frames_total - 1})
    EXPECT_THAT(decode(*video, {frame}, 1), testing::ElementsAre(oracle[frame].sha256));
}

// Written with decoding times as presentation times: the pictures know better.
TEST(ClipsCut, OrderIsFoundWhereTheContainerHidesIt) {
  make_clip("raw.h264", small() + " -c:v libx264 -preset veryfast -bf 3 -g 12");
  const fs::path path = make_clip("no_order.mkv", "-r 25 -i raw.h264 -c copy -bsf:v setts=pts=DTS");
  const auto video = VideoFile::open(path);
  ASSERT_TRUE(video.has_value()) << video.error().message;
  std::vector<int> all(50);
  std::iota(all.begin(), all.end(), 0);
  const std::vector<OracleFrame> oracle = oracle_frames(clip_folder() / "raw.h264");
  const std::vector<std::string> digests = decode(*video, all, 1);
  ASSERT_EQ(digests.size(), oracle.size());
  for (int i = 0; i < 50; ++i) EXPECT_EQ(digests[i], oracle[i].sha256) << i;
}

TEST(ClipsFacts, AreWhatTheFileSays) {
  const fs::path path =
      make_clip("facts.mkv", picture(160, 96, "25", 2) +
                                 " -f lavfi -i sine=duration=2 -c:v libx264 -c:a aac -metadata:s:v "
                                 "title=x");
  const auto video = VideoFile::open(path);
  EXPECT_EQ(video->info().source, "facts.mkv");
  EXPECT_EQ(video->info().container, "mkv");
  EXPECT_EQ(video->info().codec, "h264");
  EXPECT_TRUE(video->info().has_audio);
  EXPECT_FALSE(video->info().has_text_subtitles);
  EXPECT_FALSE(video->info().variable_frame_rate);
  EXPECT_FALSE(video->info().interlaced);
  EXPECT_NEAR(video->info().duration_s, 2, 0.002);
  EXPECT_EQ(video->info().fps.value(), 25);
  const auto container = [](const char* name) {
    return VideoFile::open(clip(name))->info().container;
  };
  EXPECT_EQ(container("clip.webm"), "webm");
  EXPECT_EQ(container("clip.mov"), "mov");
  EXPECT_EQ(container("clip.avi"), "avi");
  EXPECT_EQ(container("vfr.mp4"), "mp4");
  EXPECT_TRUE(VideoFile::open(clip("vfr.mp4"))->info().variable_frame_rate);
  EXPECT_FALSE(VideoFile::open(clip("clip.mkv"))->info().variable_frame_rate);
  EXPECT_TRUE(VideoFile::open(clip("with_audio.mp4"))->info().has_audio);
  EXPECT_EQ(VideoFile::open(clip("rot90.mp4"))->info().rotation_deg, 90);
}

}  // namespace
}  // namespace tru::media
