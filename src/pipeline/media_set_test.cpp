#include "pipeline/media_set.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "pipeline/answer_video.h"
#include "pipeline/report_json.h"

namespace tru::pipeline {
namespace {

namespace json = boost::json;
using testing::HasSubstr;
using text::PartKind;

const std::string kMedia = TRU_TEST_DATA "/media/";

const backend::VisionLimits kVision = {.image_min_pixels = 65536,
                                       .image_max_pixels = 16777216,
                                       .video_min_pixels = 4096,
                                       .video_max_pixels = 25165824};

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

Result<LocalFile> resolve(const std::string& url, const std::string& name = {}) {
  return LocalFile::resolve({PartKind::video, url, name}, fetch::Fetcher(), {}, {});
}

Result<std::vector<OpenMedia>> open_all(const std::vector<MediaRef>& refs) {
  std::vector<LocalFile> files;
  for (const MediaRef& ref : refs) {
    TRU_TRY(LocalFile file, resolve(ref.url));
    files.push_back(std::move(file));
  }
  return open_media(refs, files);
}

TEST(LocalFile, TakesPathsAndFileUrls) {
  auto file = resolve("clips/a b.mp4");
  EXPECT_EQ(file->path(), "clips/a b.mp4");
  EXPECT_EQ(file->name(), "a b.mp4");
  file = resolve("file:///tmp/a%20b%2.mp4");
  EXPECT_EQ(file->path(), "/tmp/a b%2.mp4");
  EXPECT_EQ(resolve("4f2a.part", "holiday.mp4")->name(), "holiday.mp4");
}

TEST(LocalFile, KeepsTheBytesOfADataUrlUntilTheLastCopyIsGone) {
  std::string path;
  {
    std::optional<LocalFile> copy;
    {
      const auto file = resolve("data:text/plain;charset=x;base64,aGVsbG8=");
      ASSERT_TRUE(file) << file.error().message;
      copy = *file;
    }
    path = copy->path();
    EXPECT_EQ(read_file(path), "hello");
    EXPECT_EQ(copy->name(), "data");
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(LocalFile, RefusesOtherAddresses) {
  for (const char* url : {"data:", "data:video/mp4,plain", "data:video/mp4;base64,a*b="}) {
    const auto file = resolve(url);
    ASSERT_FALSE(file) << url;
    EXPECT_EQ(file.error().code, ErrorCode::invalid_argument);
  }
  EXPECT_EQ(resolve("http://127.0.0.1/").error().code, ErrorCode::url_not_allowed);
}

TEST(MediaSet, PlansImagesAndVideosInOrder) {
  const auto media = open_all({{PartKind::image, kMedia + "img_odd.png"},
                               {PartKind::video, "file://" + kMedia + "odd_24fps.mp4"}});
  ASSERT_TRUE(media) << media.error().message;
  const auto plans = plan_frames(*media, {{}, Profile::checkpoint}, {}, kVision, {});
  ASSERT_TRUE(plans) << plans.error().message;
  EXPECT_EQ((*plans)[0].shape().kind, PartKind::image);
  EXPECT_EQ((*plans)[0].shape().grid_thw, (std::array{1, 14, 20}));
  EXPECT_EQ((*plans)[1].shape().grid_thw, (std::array{3, 12, 20}));
  EXPECT_EQ((*plans)[1].shape().timestamps_s.size(), 3u);
  EXPECT_EQ(planned_report((*media)[1], (*plans)[1]).info.source, "odd_24fps.mp4");
}

TEST(MediaSet, VideosShareABudget) {
  const auto media = open_all(
      {{PartKind::video, kMedia + "odd_24fps.mp4"}, {PartKind::video, kMedia + "odd_24fps.mp4"}});
  const VideoRequest request{{.fps = 8, .min_pixels = 50000}, Profile::quick};
  const auto both = plan_frames(*media, request, {}, kVision, 200);
  ASSERT_TRUE(both) << both.error().message;
  for (const MediaPlan& plan : *both) EXPECT_LE(plan.video->video_tokens, 100);
}

TEST(MediaSet, ReportsWhatWasSeen) {
  const auto media = open_all({{PartKind::video, kMedia + "with_audio.mp4"}});
  const auto plans = plan_frames(*media, {{}, Profile::checkpoint}, {}, kVision, {});
  const auto frames = decode_frames(*media, *plans);
  int pairs = 0;
  while (true) {
    const auto pair = frames->sources()[0]->next({});
    ASSERT_TRUE(pair) << pair.error().message;
    if (!*pair) break;
    ++pairs;
  }
  const json::array reports = to_json(frames->reports());
  ASSERT_EQ(reports.size(), 1u);
  const json::object& report = reports[0].as_object();
  EXPECT_EQ(report.at("audio").as_string(), "present_not_used");
  EXPECT_EQ(report.at("grid_thw").at(0).as_int64(), pairs);
  EXPECT_EQ(report.at("frames").as_array().size(), (*plans)[0].video->frames.size());
  EXPECT_GT(frames->decode_ms(), 0);
}

TEST(MediaSet, AnAbandonedStreamStopsAtOnce) {
  const auto media = open_all({{PartKind::video, kMedia + "long_12s.mp4"}});
  const auto plans = plan_frames(*media, {{}, Profile::checkpoint}, {}, kVision, {});
  const auto frames = decode_frames(*media, *plans);
  std::stop_source stop;
  stop.request_stop();
  const auto pair = frames->sources()[0]->next(stop.get_token());
  ASSERT_FALSE(pair);
  EXPECT_EQ(pair.error().code, ErrorCode::cancelled);
}

TEST(ReportJson, TokensKeepTheirBytesAndShowTheirText) {
  backend::OutputToken token;
  token.id = 7;
  token.bytes = "a\xe4";
  token.logprob = -0.5f;
  token.top_logprobs = {{7, token.bytes, -0.5f}, {8, "b", -1}};
  const json::object object = to_json(token);
  EXPECT_EQ(json::serialize(object.at("bytes")), "[97,228]");
  EXPECT_EQ(object.at("text").as_string(), "a\xef\xbf\xbd");
  EXPECT_EQ(object.at("top_logprobs").as_array().size(), 2u);
  EXPECT_EQ(object.at("top_logprobs").at(1).at("id").as_int64(), 8);
  EXPECT_EQ(json::serialize(to_json(backend::Usage{5, 3, 2})),
            R"({"prompt_tokens":5,"completion_tokens":3,"total_tokens":8,"cached_tokens":2})");
}

}  // namespace
}  // namespace tru::pipeline
