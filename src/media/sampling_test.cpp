#include "media/sampling.h"

#include <gmock/gmock.h>

#include <cmath>
#include <numeric>

#include "media/smart_resize.h"
#include "media/test_media.h"

namespace tru::media {
namespace {

namespace json = boost::json;
using testing::ElementsAre;

template <typename T>
std::optional<T> optional_number(const json::value& value) {
  return value.is_null() ? std::nullopt : std::optional(value.to_number<T>());
}

// Long lists are recorded as their length, ends and sum.
void expect_indices(const std::vector<int>& indices, const json::value& recorded) {
  if (recorded.is_array()) {
    EXPECT_EQ(indices, json::value_to<std::vector<int>>(recorded));
    return;
  }
  const auto first = json::value_to<std::vector<int>>(recorded.at("first"));
  const auto last = json::value_to<std::vector<int>>(recorded.at("last"));
  ASSERT_GE(indices.size(), first.size());
  EXPECT_EQ(std::vector<int>(indices.begin(), indices.begin() + first.size()), first);
  EXPECT_EQ(std::vector<int>(indices.end() - last.size(), indices.end()), last);
  EXPECT_EQ(std::accumulate(indices.begin(), indices.end(), std::int64_t{0}),
            recorded.at("sum").as_int64());
}

TEST(Sampling, FollowsTheReferencesTable) {
  int rows = 0;
  const json::value tables = read_json("sampling_tables.json");
  for (const json::value& row : tables.at("sampling").as_array()) {
    SCOPED_TRACE(json::serialize(row).substr(0, 150));
    const int total = row.at("total_frames").to_number<int>();
    const double video_fps = row.at("video_fps").to_number<double>();
    SamplingRule rule{.fps = optional_number<double>(row.at("fps")),
                      .num_frames = optional_number<int>(row.at("num_frames"))};
    rule.min_frames = optional_number<int>(row.at("min_frames")).value_or(rule.min_frames);
    rule.max_frames = optional_number<int>(row.at("max_frames")).value_or(rule.max_frames);
    const json::value& expected = row.at("transformers");
    const int count = count_frames(total, video_fps, rule).count;
    EXPECT_EQ(count, expected.at("n").to_number<int>());
    const std::vector<int> indices = spread_indices(total, count);
    expect_indices(indices, expected.at("indices"));
    if (rule.num_frames.value_or(0) <= total) {
      std::vector<double> even_times_s;
      for (int i = 0; i < total; ++i) even_times_s.push_back(i / video_fps);
      EXPECT_EQ(spread_times(even_times_s, count), indices);
    }

    std::vector<double> times_s;
    for (const int index : indices) times_s.push_back(index / video_fps);
    std::vector<std::string> texts;
    for (const double time_s : patch_timestamps(times_s, 2))
      texts.push_back(format_timestamp(time_s));
    if (expected.at("indices").is_array()) {
      EXPECT_EQ(texts, json::value_to<std::vector<std::string>>(expected.at("timestamps")));
    }
    ++rows;
  }
  EXPECT_EQ(rows, 35);
}

TEST(Sampling, SaysWhichLimitBit) {
  EXPECT_TRUE(count_frames(288, 24, {.fps = 0.1}).hit_min);
  EXPECT_FALSE(count_frames(288, 24, {.fps = 2}).hit_min);
  EXPECT_TRUE(count_frames(288, 24, {.fps = 2, .max_frames = 10}).hit_max);
  EXPECT_FALSE(count_frames(288, 24, {.fps = 2, .max_frames = 24}).hit_max);
  // There are no more frames than these: no limit of ours.
  EXPECT_FALSE(count_frames(2, 24, {.fps = 2}).hit_max);
}

// Ticks of a millisecond, as in mkv, move times off the even clock; the frames stay the same.
TEST(Sampling, TimesRoundedToTicksChooseTheSameFrames) {
  for (const double fps : {23.976, 29.97, 30.0, 59.94, 120.0}) {
    std::vector<double> times_s;
    for (int i = 0; i < 1000; ++i) times_s.push_back(std::round(i / fps * 1000) / 1000);
    for (const int count : {2, 3, 7, 64, 333, 999, 1000})
      EXPECT_EQ(spread_times(times_s, count), spread_indices(1000, count)) << fps << " " << count;
  }
}

TEST(Sampling, AtAVaryingRateTheFrameShownAtEachTimeIsTaken) {
  // Ten frames in the first second, then one that stays for nine.
  std::vector<double> times_s;
  for (int i = 0; i < 10; ++i) times_s.push_back(0.1 * i);
  times_s.push_back(1.0);
  times_s.push_back(10.0);
  EXPECT_THAT(spread_times(times_s, 4), ElementsAre(0, 10, 10, 11));
  EXPECT_THAT(spread_indices(12, 4), ElementsAre(0, 4, 7, 11));
}

TEST(Sampling, TrimKeepsFramesFromStartToBeforeEnd) {
  const std::vector<double> times_s = {0, 1, 2, 3, 7};
  const auto trim = [&](double start_s, std::optional<double> end_s) {
    const FrameRange range = trim_frames(times_s, 8, start_s, end_s);
    return std::pair(range.first, range.last);
  };
  EXPECT_EQ(trim(0, std::nullopt), std::pair(0, 5));
  EXPECT_EQ(trim(1, 3), std::pair(1, 3));
  EXPECT_EQ(trim(0.5, 100), std::pair(1, 5));
  EXPECT_EQ(trim(4, 5), std::pair(3, 4));  // nothing starts there: what is shown
  EXPECT_EQ(trim(7.5, std::nullopt), std::pair(4, 5));
  EXPECT_EQ(trim(8, std::nullopt), std::pair(0, 0));
}

TEST(Sampling, TimestampsAreMeansRoundedHalfToEven) {
  EXPECT_THAT(patch_timestamps(std::vector<double>{0, 1, 2}, 2), ElementsAre(0.5, 2));
  EXPECT_EQ(format_timestamp(0.25), "0.2");
  EXPECT_EQ(format_timestamp(0.75), "0.8");
  EXPECT_EQ(format_timestamp(0.35), "0.3");  // the double is below 0.35
  EXPECT_EQ(format_timestamp(3599.96), "3600.0");
}

TEST(SmartResize, FollowsTheReferencesTableForVideos) {
  int rows = 0;
  const json::value tables = read_json("sampling_tables.json");
  for (const json::value& row : tables.at("video_smart_resize").as_array()) {
    SCOPED_TRACE(json::serialize(row));
    const auto resized = resize_video({row.at("W").to_number<int>(), row.at("H").to_number<int>()},
                                      row.at("T").to_number<int>(), 2, 32,
                                      {.shortest_edge = row.at("shortest_edge").as_int64(),
                                       .longest_edge = row.at("longest_edge").as_int64()});
    const auto expected = json::value_to<std::vector<int>>(row.at("resized"));
    ASSERT_TRUE(resized.has_value());
    EXPECT_EQ(resized->size, (FrameSize{expected[1], expected[0]}));
    ++rows;
  }
  EXPECT_EQ(rows, 80);
}

TEST(SmartResize, FollowsTheReferencesTableForImages) {
  int rows = 0;
  const json::value tables = read_json("sampling_tables.json");
  for (const json::value& row : tables.at("image_smart_resize").as_array()) {
    SCOPED_TRACE(json::serialize(row));
    const auto resized =
        resize_image({row.at("W").to_number<int>(), row.at("H").to_number<int>()}, 32,
                     {.shortest_edge = row.at("min_pixels").as_int64(),
                      .longest_edge = row.at("max_pixels").as_int64()});
    ++rows;
    if (!row.at("resized").is_array()) {
      EXPECT_EQ(resized.error().code, ErrorCode::media_dimensions);
      continue;
    }
    const auto expected = json::value_to<std::vector<int>>(row.at("resized"));
    EXPECT_EQ(resized->size, (FrameSize{expected[1], expected[0]}));
  }
  EXPECT_EQ(rows, 11);
}

TEST(SmartResize, SaysWhichBoundDecided) {
  const auto bound = [](PixelBounds bounds) {
    return resize_video({320, 192}, 4, 2, 32, bounds)->bound_by;
  };
  EXPECT_EQ(bound({4096, 1 << 24}), PixelBound::none);
  EXPECT_EQ(bound({1 << 20, 1 << 24}), PixelBound::shortest_edge);
  EXPECT_EQ(bound({4096, 60000}), PixelBound::longest_edge);
}

}  // namespace
}  // namespace tru::media
