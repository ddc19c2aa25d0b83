// Against the reference implementation's recorded facts: tests/data/goldens.json.
#include <gmock/gmock.h>

#include <algorithm>

#include "media/convert.h"
#include "media/decode.h"
#include "media/frame_decoder.h"
#include "media/image_file.h"
#include "media/plan.h"
#include "media/test_media.h"
#include "media/video_file.h"

namespace tru::media {
namespace {

namespace json = boost::json;

template <typename T>
std::optional<T> field(const json::value& object, const char* name) {
  const json::value* value = object.as_object().if_contains(name);
  if (value == nullptr || value->is_null()) return std::nullopt;
  return value->to_number<T>();
}

VideoParams params_of(const json::object& golden) {
  VideoParams params{.timing = Timing::index};
  const json::value* given = golden.if_contains("video_params");
  if (given == nullptr || given->is_null()) return params;
  params.fps = field<double>(*given, "fps");
  params.num_frames = field<int>(*given, "num_frames");
  params.max_frames = field<int>(*given, "max_frames");
  params.min_pixels = field<std::int64_t>(*given, "min_pixels");
  params.max_pixels = field<std::int64_t>(*given, "max_pixels");
  params.total_pixels = field<std::int64_t>(*given, "total_pixels");
  return params;
}

RgbFrame first_frame(const VideoFile& video) {
  const int wanted[] = {0};
  auto decoder = FrameDecoder::open(video, wanted, 1, {});
  RgbConverter converter;
  return *converter.convert(*decoder->next()->value().frame);
}

// What a golden says of its i-th video.
struct Expected {
  const json::value& indices;
  const json::value& grid_thw;
  const json::value& resized_hw;
};

void check_facts(const VideoFile& video, const json::value& info) {
  EXPECT_EQ(video.info().frames_total, info.at("total_num_frames").as_int64());
  EXPECT_DOUBLE_EQ(video.info().index_fps(), info.at("fps").to_number<double>());
  EXPECT_NEAR(video.frame_times_s().back(),
              info.at("last_pts").to_number<double>() - info.at("first_pts").to_number<double>(),
              1e-4);
  EXPECT_EQ(sha256(first_frame(video)), info.at("frame0_sha256").as_string());
}

void check_plan(const VideoPlan& plan, const Expected& expected) {
  std::vector<int> indices;
  for (const PlannedFrame& frame : plan.frames) indices.push_back(frame.index);
  EXPECT_EQ(indices, json::value_to<std::vector<int>>(expected.indices));
  EXPECT_EQ(std::vector<int>(plan.grid_thw.begin(), plan.grid_thw.end()),
            json::value_to<std::vector<int>>(expected.grid_thw));
  EXPECT_EQ((std::vector<int>{plan.size.height, plan.size.width}),
            json::value_to<std::vector<int>>(expected.resized_hw));
}

// Decodes the plan; every pair has the planned size.
std::vector<FramePair> decode_all(const VideoFile& video, const VideoPlan& plan) {
  std::vector<FramePair> pairs;
  const auto stream = decode_frames(video, plan);
  for (;;) {
    auto pair = stream->next();
    EXPECT_TRUE(pair.has_value());
    if (!pair || !*pair) break;
    pairs.push_back(**pair);
    EXPECT_EQ((*pair)->first->width, plan.size.width);
    EXPECT_EQ((*pair)->second->height, plan.size.height);
  }
  EXPECT_THAT(stream->warnings(), testing::IsEmpty());
  EXPECT_EQ(stream->frames_delivered(), static_cast<int>(plan.frames.size()));
  return pairs;
}

// The normalised value at a flat index of the reference's pixel_values: rows are patches in blocks
// of 2 x 2, columns are channel, frame, y, x.
float pixel_value(const std::vector<FramePair>& pairs, std::int64_t flat) {
  const int width = pairs[0].first->width;
  const int blocks_wide = width / 32;
  const std::int64_t row = flat / 1536;
  const int column = static_cast<int>(flat % 1536);
  const std::int64_t block = row / 4;
  const std::int64_t blocks = std::int64_t{blocks_wide} * (pairs[0].first->height / 32);
  const FramePair& pair = pairs[block / blocks];
  const int in_frame = static_cast<int>(block % blocks);
  const int y = in_frame / blocks_wide * 32 + static_cast<int>(row % 4) / 2 * 16 + column / 16 % 16;
  const int x = in_frame % blocks_wide * 32 + static_cast<int>(row % 2) * 16 + column % 16;
  const RgbFrame& frame = column / 256 % 2 == 0 ? *pair.first : *pair.second;
  const int channel = column / 512;
  return (frame.pixels[std::size_t{3} * (std::size_t(y) * width + x) + channel] - 127.5f) / 127.5f;
}

// Compares the values recorded for one picture or clip.
void check_pixel_values(const std::vector<FramePair>& pairs, const json::value& recorded) {
  const json::array& flat = recorded.at("samples").at("index").as_array();
  const json::array& values = recorded.at("samples").at("value").as_array();
  ASSERT_GE(flat.size(), 32u);
  for (std::size_t i = 0; i < flat.size(); ++i)
    EXPECT_NEAR(pixel_value(pairs, flat[i].as_int64()), values[i].to_number<double>(), 1e-5)
        << "at " << flat[i];
}

TEST(Golden, VideosAreSeenAsTheReferenceSeesThem) {
  const json::value set = read_json("goldens.json");
  int videos = 0;
  for (const json::value& value : set.at("cases").as_array()) {
    const json::object& golden = value.as_object();
    SCOPED_TRACE(golden.at("id").as_string().c_str());
    // Files are turned upright here; this golden leaves one lying.
    if (golden.at("id") == "rot90-asis") continue;
    std::vector<std::string> timestamps;
    std::size_t number = 0;
    for (const json::value& info : golden.at("media_info").as_array()) {
      if (info.at("kind") != "video") continue;
      const auto video = VideoFile::open(clip(info.at("file").as_string().c_str()));
      ASSERT_TRUE(video.has_value()) << video.error().message;
      check_facts(*video, info);
      const auto plan = plan_video(video->info(), video->frame_times_s(), params_of(golden), {},
                                   {.shortest_edge = 4096, .longest_edge = 25165824});
      ASSERT_TRUE(plan.has_value()) << plan.error().message;
      check_plan(*plan,
                 {golden.at("hf").at("frames_indices").at(number),
                  golden.at("video_grid_thw").at(number), golden.at("resized_hw").at(number)});
      const std::vector<FramePair> pairs = decode_all(*video, *plan);
      ASSERT_EQ(static_cast<int>(pairs.size()), plan->grid_thw[0]);
      const json::value* pixels = golden.if_contains("pixel_values_videos");
      if (pixels != nullptr && golden.at("video_grid_thw").as_array().size() == 1)
        check_pixel_values(pairs, *pixels);
      for (const double timestamp_s : plan->timestamps_s)
        timestamps.push_back(format_timestamp(timestamp_s));
      ++number;
      ++videos;
    }
    if (number == 0) continue;
    EXPECT_EQ(timestamps, json::value_to<std::vector<std::string>>(golden.at("timestamps_text")));
  }
  EXPECT_GE(videos, 30);
}

TEST(Golden, ImagesAreSeenAsTheReferenceSeesThem) {
  const json::value set = read_json("goldens.json");
  int images = 0;
  for (const json::value& value : set.at("cases").as_array()) {
    const json::object& golden = value.as_object();
    SCOPED_TRACE(golden.at("id").as_string().c_str());
    std::size_t number = 0;
    for (const json::value& info : golden.at("media_info").as_array()) {
      if (info.at("kind") != "image") continue;
      const auto image = ImageFile::open(clip(info.at("file").as_string().c_str()));
      ASSERT_TRUE(image.has_value()) << image.error().message;
      EXPECT_EQ(sha256(image->picture()), info.at("sha256").as_string());
      const json::value& bounds = golden.at("hf").at("image_size");
      const auto plan = plan_image(image->size(), {},
                                   {.shortest_edge = bounds.at("shortest_edge").as_int64(),
                                    .longest_edge = bounds.at("longest_edge").as_int64()});
      EXPECT_EQ(std::vector<int>(plan->grid_thw.begin(), plan->grid_thw.end()),
                json::value_to<std::vector<int>>(golden.at("image_grid_thw").at(number)));
      if (golden.at("image_grid_thw").as_array().size() == 1)
        check_pixel_values({image->frames(plan->size)}, golden.at("pixel_values"));
      ++number;
      ++images;
    }
  }
  EXPECT_EQ(images, 5);
}

}  // namespace
}  // namespace tru::media
