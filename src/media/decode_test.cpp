#include "media/decode.h"

#include <gmock/gmock.h>

#include <array>
#include <chrono>
#include <thread>

#include "media/convert.h"
#include "media/decode_segments.h"
#include "media/frame_decoder.h"
#include "media/test_clips.h"
#include "media/test_media.h"

namespace tru::media {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr PixelBounds kBounds{.shortest_edge = 4096, .longest_edge = 25165824};

std::string x264(const std::string& options = "") {
  return " -c:v libx264 -preset veryfast -pix_fmt yuv420p " + options;
}

struct Opened {
  VideoFile video;
  VideoPlan plan;
};

Opened open(const fs::path& path, const VideoParams& params) {
  auto video = VideoFile::open(path);
  auto plan = plan_video(video->info(), video->frame_times_s(), params, {}, kBounds);
  return {*video, *plan};
}

std::vector<FramePair> drain(FrameStream& stream) {
  std::vector<FramePair> pairs;
  for (;;) {
    auto pair = stream.next();
    EXPECT_TRUE(pair.has_value()) << pair.error().message;
    if (!pair || !*pair) return pairs;
    pairs.push_back(std::move(**pair));
  }
}

// Stored order I P B B, shown I B B P; then again.
FrameIndex bidirectional_index() {
  std::vector<IndexedPacket> packets;
  for (const int start : {0, 4, 8, 12})
    for (const int pts : {0, 3, 1, 2})
      packets.push_back({.stored_time = start + pts, .pts = start + pts, .keyframe = pts == 0});
  return FrameIndex(std::move(packets), 0.5);
}

TEST(FrameIndex, SortsByPresentation) {
  const FrameIndex index = bidirectional_index();
  EXPECT_EQ(index.frames_total(), 16);
  EXPECT_EQ(index.packet_of(1), 2);
  EXPECT_EQ(index.packet_of(3), 1);
  EXPECT_EQ(index.times_s()[3], 1.5);
  EXPECT_EQ(index.frame_at(6), 6);
  EXPECT_EQ(index.frame_at(99), std::nullopt);
  EXPECT_EQ(index.keyframe_before(7), 4);
}

// Leading pictures follow a keyframe in the file but are shown before it.
TEST(FrameIndex, LeadingPicturesNeedTheKeyframeBefore) {
  const FrameIndex index({{.stored_time = 0, .pts = 0, .keyframe = true},
                          {.stored_time = 1, .pts = 1},
                          {.stored_time = 4, .pts = 4, .keyframe = true},
                          {.stored_time = 2, .pts = 2},
                          {.stored_time = 3, .pts = 3}},
                         1);
  EXPECT_EQ(index.keyframe_before(2), 0);
  EXPECT_EQ(index.keyframe_before(4), 2);
}

TEST(DecodeSegments, CoverOnlyWhatIsNeeded) {
  const FrameIndex index = bidirectional_index();
  const auto plan = [&](std::vector<int> wanted) { return plan_segments(index, wanted); };
  EXPECT_THAT(plan({0}), ElementsAre(DecodeSegment{0, 0}));
  EXPECT_THAT(plan({1}), ElementsAre(DecodeSegment{0, 2}));
  EXPECT_THAT(plan({0, 14}), ElementsAre(DecodeSegment{0, 0}, DecodeSegment{12, 15}));
  // The next keyframe is near: going on is cheaper than starting again.
  EXPECT_THAT(plan({0, 4}), ElementsAre(DecodeSegment{0, 4}));
  EXPECT_THAT(plan({3, 3}), ElementsAre(DecodeSegment{0, 1}));
}

TEST(Decode, AnOddLastFrameStandsInBothPlaces) {
  const Opened opened = open(clip("long_12s.mp4"), {.num_frames = 7});
  const auto pairs = drain(*decode_frames(opened.video, opened.plan));
  ASSERT_EQ(pairs.size(), 4u);
  EXPECT_EQ(pairs[3].first, pairs[3].second);
  EXPECT_NE(pairs[0].first, pairs[0].second);
}

TEST(Decode, RepeatedFramesAreDecodedOnce) {
  const Opened opened = open(clip("two_frames.mp4"), {.num_frames = 8});
  const auto pairs = drain(*decode_frames(opened.video, opened.plan));
  ASSERT_EQ(pairs.size(), 4u);
  EXPECT_EQ(pairs[0].first, pairs[1].second);
  EXPECT_NE(pairs[0].first, pairs[3].second);
}

TEST(Decode, ThreadsDoNotChangeThePictures) {
  const Opened opened = open(clip("bframes.mp4"), {.fps = 6});
  const auto one = drain(*decode_frames(opened.video, opened.plan, 1));
  const auto four = drain(*decode_frames(opened.video, opened.plan, 4));
  ASSERT_EQ(one.size(), four.size());
  for (std::size_t i = 0; i < one.size(); ++i)
    EXPECT_EQ(one[i].second->pixels, four[i].second->pixels);
}

// The file with the matrix of its track header (ISO/IEC 14496-12, 8.3.2) replaced.
fs::path with_matrix(const fs::path& from, const std::string& name,
                     const std::array<std::int32_t, 4>& abcd) {
  std::ifstream file(from, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  std::string bytes = text.str();
  const std::size_t matrix = bytes.find("tkhd") + 44;
  const std::size_t places[] = {0, 4, 12, 16};  // of a, b, c, d
  for (int i = 0; i < 4; ++i)
    for (int byte = 0; byte < 4; ++byte)
      bytes[matrix + places[i] + byte] =
          static_cast<char>(static_cast<std::uint32_t>(abcd[i] * 65536) >> (24 - 8 * byte));
  fs::path path = clip_folder() / name;
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

// Pictures stored lying, with the order to turn them, come out upright.
TEST(Decode, RotationIsApplied) {
  const std::string input = picture(192, 96, "5", 1);
  const std::string mjpeg = " -c:v mjpeg -q:v 2 -pix_fmt yuvj420p";
  const Opened plain = open(make_clip("upright.mov", input + mjpeg), {.num_frames = 2});
  const auto expected = drain(*decode_frames(plain.video, plain.plan))[0].first;
  struct Turn {
    const char* lying;
    std::array<std::int32_t, 4> matrix;
    int degrees;
  };
  for (const Turn& turn :
       {Turn{"transpose=cclock", {0, 1, -1, 0}, 90}, Turn{"hflip,vflip", {-1, 0, 0, -1}, 180},
        Turn{"transpose=clock", {0, -1, 1, 0}, 270}}) {
    const std::string name = fmt::format("lying{}.mov", turn.degrees);
    make_clip(name, fmt::format("{} -vf {} {}", input, turn.lying, mjpeg));
    const Opened opened =
        open(with_matrix(clip_folder() / name, "turned.mov", turn.matrix), {.num_frames = 2});
    EXPECT_EQ(opened.video.info().rotation_deg, turn.degrees);
    EXPECT_EQ(opened.video.info().width, 192);
    const auto turned = drain(*decode_frames(opened.video, opened.plan))[0].first;
    ASSERT_EQ(turned->pixels.size(), expected->pixels.size());
    double difference = 0;
    for (std::size_t i = 0; i < expected->pixels.size(); ++i)
      difference += std::abs(turned->pixels[i] - expected->pixels[i]);
    EXPECT_LT(difference / static_cast<double>(expected->pixels.size()), 6) << turn.degrees;
  }
}

// Fields of two times woven into one frame show combs: neighbouring rows differ, rows two apart do
// not. Deinterlaced, the difference between neighbouring rows is gone.
TEST(Decode, InterlacedFramesAreDeinterlacedTheSameWayAlone) {
  const fs::path path =
      make_clip("fields.mkv",
                "-f lavfi -i color=black:size=160x96:rate=50:duration=2 -vf "
                "\"geq=lum='if(lt(mod(X+N*7,80),40),235,16)':cb=128:cr=128,"
                "interlace=lowpass=0\" -c:v mpeg2video -flags +ildct+ilme -q:v 2 -g 10");
  const Opened all = open(path, {.num_frames = 50});
  EXPECT_TRUE(all.video.info().interlaced);
  EXPECT_THAT(all.video.info().warnings, Contains(HasSubstr("interlaced")));
  const auto pairs = drain(*decode_frames(all.video, all.plan));
  const Opened some = open(path, {.num_frames = 6});
  const auto alone = drain(*decode_frames(some.video, some.plan));
  for (int i = 0; i < 6; ++i) {
    const int frame = some.plan.frames[i].index;
    const auto& expected = frame % 2 == 0 ? pairs[frame / 2].first : pairs[frame / 2].second;
    const auto& actual = i % 2 == 0 ? alone[i / 2].first : alone[i / 2].second;
    EXPECT_EQ(actual->pixels, expected->pixels) << frame;
  }
  const RgbFrame& picture = *pairs[10].first;
  double combs = 0;
  for (int y = 1; y < picture.height; ++y)
    for (int x = 0; x < picture.width; ++x)
      combs += std::abs(picture.pixels[3 * (std::size_t(y) * picture.width + x)] -
                        picture.pixels[3 * (std::size_t(y - 1) * picture.width + x)]);
  EXPECT_LT(combs / (picture.width * picture.height), 5);
}

TEST(Decode, AChangeOfSizeIsScaledToThePlan) {
  make_clip("first.ts", picture(320, 192, "25", 1) + x264("-f mpegts"));
  make_clip("second.ts", picture(160, 96, "25", 1) + x264("-f mpegts"));
  const fs::path path = make_clip("sizes.mkv", "-i \"concat:first.ts|second.ts\" -c copy");
  const Opened opened = open(path, {.num_frames = 8});
  const auto stream = decode_frames(opened.video, opened.plan);
  const auto pairs = drain(*stream);
  ASSERT_EQ(pairs.size(), 4u);
  for (const FramePair& pair : pairs) EXPECT_EQ(pair.second->width, 320);
  EXPECT_THAT(stream->warnings(), Contains(HasSubstr("size changes")));
}

// 64 x 64 at first, too large for the limits later.
TEST(Decode, AChangeBeyondTheLimitsEndsThere) {
  make_clip("small.ts", picture(64, 64, "25", 1) + x264("-f mpegts"));
  make_clip("grown.ts", picture(640, 640, "25", 1) + x264("-f mpegts"));
  const fs::path path = make_clip("grows.mkv", "-i \"concat:small.ts|grown.ts\" -c copy");
  MediaLimits limits;
  limits.max_pixels = 100'000;
  const auto video = VideoFile::open(path, limits);
  const auto plan =
      plan_video(video->info(), video->frame_times_s(), {.num_frames = 8}, {}, kBounds);
  const auto stream = decode_frames(*video, *plan);
  EXPECT_EQ(drain(*stream).size(), 2u);
  EXPECT_EQ(stream->frames_delivered(), 4);
  EXPECT_THAT(stream->warnings(), Contains(HasSubstr("the last 4 of 8")));
}

TEST(Decode, StopsAtOnceAndWhenDropped) {
  const Opened opened = open(make_clip("stop.mp4", picture(640, 352, "25", 20) + x264("-g 600")),
                             {.num_frames = 400});
  const auto begin = std::chrono::steady_clock::now();
  {
    const auto stream = decode_frames(opened.video, opened.plan);
    EXPECT_TRUE(stream->next()->has_value());
  }
  std::stop_source stop;
  const auto stream = decode_frames(opened.video, opened.plan);
  EXPECT_TRUE(stream->next(stop.get_token())->has_value());
  stop.request_stop();
  while (const auto pair = stream->next(stop.get_token())) ASSERT_TRUE(pair->has_value());
  EXPECT_EQ(stream->next(stop.get_token()).error().code, ErrorCode::cancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
long resident_kb() {
  std::ifstream status("/proc/self/statm");
  long total = 0, resident = 0;
  status >> total >> resident;
  return resident * 4;
}

// 250 frames of 2.7 MB pass; a few are there at any time.
TEST(Decode, MemoryDoesNotGrowWithTheVideo) {
  const Opened opened = open(make_clip("long.mp4", picture(1280, 704, "25", 10) + x264("-g 50")),
                             {.num_frames = 250});
  const auto stream = decode_frames(opened.video, opened.plan);
  long at_start_kb = 0, most_kb = 0;
  int pairs = 0;
  while (const auto pair = stream->next()) {
    if (!*pair) break;
    if (++pairs == 10) at_start_kb = resident_kb();
    most_kb = std::max(most_kb, resident_kb());
  }
  EXPECT_EQ(pairs, 125);
  EXPECT_LT(most_kb - at_start_kb, 40'000);
}
#endif

}  // namespace
}  // namespace tru::media
