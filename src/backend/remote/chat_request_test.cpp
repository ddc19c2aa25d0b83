#include "backend/remote/chat_request.h"

#include <gmock/gmock.h>
#include <png.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>

#include "backend/native_planner.h"
#include "backend/remote/frame_code.h"
#include "backend/remote/remote_planner.h"
#include "base/base64.h"
#include "weights/test_gguf.h"

namespace tru::backend {
namespace {

namespace json = boost::json;
using testing::HasSubstr;
using text::PartKind;

const MediaShape kVideo{PartKind::video, {2, 4, 6}, {0.35, 2.04}};
const MediaShape kImage{PartKind::image, {1, 4, 4}, {}};
const PlainText kPlain = PlainText::published();

struct Sent {
  std::vector<text::Message> messages = {
      {"user", {{PartKind::video, "", 0}, {PartKind::text, "What?", 0}}}};
  std::vector<MediaShape> media = {kVideo};
  std::vector<EncodedMedia> frames = {{{"A", "B"}, {"C", ""}}};
  ServerTraits traits;
  GenerationParams params;

  json::value body() const {
    const FrameTransport transport = transport_for(traits, media);
    const auto wire = wire_messages(messages, media, transport, kPlain);
    EXPECT_TRUE(wire) << wire.error().message;
    return json::parse(chat_request_body({traits,
                                          transport,
                                          *wire,
                                          media,
                                          frames,
                                          {"F"},
                                          RemotePlanner::load({})->vision(),
                                          FrameFormat::jpeg},
                                         params));
  }
};

TEST(ChatRequest, AFrameListHasBothFramesOfEachPairAtItsTime) {
  Sent sent;
  sent.traits.kind = ServerKind::vllm;
  sent.traits.transport = FrameTransport::frame_list;
  const json::value body = sent.body();
  EXPECT_EQ(body.at_pointer("/messages/0/content/0/video_url/url").as_string(),
            "data:video/jpeg;base64,A,B,C,C");
  EXPECT_EQ(json::serialize(body.at("media_io_kwargs")),
            R"({"video":{"fps":1E3,"frames_indices":[350,350,2040,2040],)"
            R"("total_num_frames":2041,"num_frames":-1}})");
  // 4 frames of 64 x 96 pixels are within the published limits.
  EXPECT_FALSE(body.as_object().contains("mm_processor_kwargs"));
  EXPECT_TRUE(body.at("return_token_ids").as_bool());
}

TEST(ChatRequest, SizesBeyondTheLimitsAreKept) {
  Sent sent;
  sent.traits.transport = FrameTransport::frame_list;
  sent.media[0].grid_thw = {2, 200, 400};
  const json::value size = sent.body().at_pointer("/mm_processor_kwargs/size");
  EXPECT_EQ(size.at("longest_edge").as_int64(), 4 * 3200 * 6400);
  EXPECT_EQ(size.at("shortest_edge").as_int64(), 4096);
}

TEST(ChatRequest, FramesAsImagesStandBehindTheirTime) {
  Sent sent;
  const json::value body = sent.body();
  EXPECT_EQ(json::serialize(body.at_pointer("/messages/0/content")),
            R"([{"type":"text","text":"<0.3 seconds>"},)"
            R"({"type":"image_url","image_url":{"url":"data:image/jpeg;base64,A"}},)"
            R"({"type":"image_url","image_url":{"url":"data:image/jpeg;base64,B"}},)"
            R"({"type":"text","text":"<2.0 seconds>"},)"
            R"({"type":"image_url","image_url":{"url":"data:image/jpeg;base64,C"}},)"
            R"({"type":"text","text":"What?"}])");
  EXPECT_FALSE(body.as_object().contains("media_io_kwargs"));
  EXPECT_FALSE(body.as_object().contains("return_token_ids"));
  // A tail that could not be decoded is left out, times and all.
  sent.frames[0].resize(1);
  EXPECT_THAT(json::serialize(sent.body()), testing::Not(HasSubstr("<2.0 seconds>")));
}

TEST(ChatRequest, SamplingIsWhatWasAskedFor) {
  Sent sent;
  sent.params = {.max_tokens = 9,
                 .temperature = 0,
                 .top_p = 0,
                 .top_k = 0,
                 .seed = 0xffffffffffff0007,
                 .stop = {"a", "b"},
                 .logprobs = true,
                 .top_logprobs = 3};
  const json::value body = sent.body();
  EXPECT_EQ(body.at("max_tokens").as_int64(), 9);
  EXPECT_EQ(body.at("temperature").as_double(), 0);
  EXPECT_GT(body.at("top_p").as_double(), 0);
  EXPECT_EQ(body.at("top_k").as_int64(), -1);
  EXPECT_EQ(body.at("seed").to_number<std::uint64_t>(), 0x7fff0007u);
  EXPECT_EQ(json::serialize(body.at("stop")), R"(["a","b"])");
  EXPECT_EQ(body.at("top_logprobs").as_int64(), 3);
}

TEST(WireMessages, TransportFitsTheVideos) {
  ServerTraits traits;
  traits.transport = FrameTransport::frame_list;
  EXPECT_EQ(transport_for(traits, {}), FrameTransport::frame_list);
  EXPECT_EQ(transport_for(traits, {kImage, kVideo, kVideo}), FrameTransport::frame_list);
  MediaShape later = kVideo;
  later.timestamps_s = {0.35, 2.14};
  EXPECT_EQ(transport_for(traits, {kVideo, later}), FrameTransport::timed_images);
  traits.transport = FrameTransport::whole_file;
  EXPECT_EQ(transport_for(traits, {kVideo, later}), FrameTransport::whole_file);
}

TEST(WireMessages, RefusesWhatHasNoPlace) {
  const auto error_of = [](const std::vector<text::Message>& messages) {
    const auto wire = wire_messages(messages, {kVideo}, FrameTransport::frame_list, kPlain);
    return wire ? "" : wire.error().message;
  };
  EXPECT_THAT(error_of({}), HasSubstr("no messages"));
  EXPECT_THAT(error_of({{"narrator", {}}}), HasSubstr("narrator"));
  EXPECT_THAT(error_of({{"system", {{PartKind::video, "", 0}}}}), HasSubstr("system"));
  EXPECT_THAT(error_of({{"user", {{PartKind::video, "", 1}}}}), HasSubstr("not there"));
  EXPECT_THAT(error_of({{"user", {{PartKind::image, "", 0}}}}), HasSubstr("not there"));
}

TEST(RemotePlanner, CountsLikeTheNativeEngine) {
  const auto planner = RemotePlanner::load({.model = TRU_TEST_DATA "/models/dense-tied"});
  ASSERT_TRUE(planner) << planner.error().message;
  const std::vector<text::Message> messages = {
      {"user", {{PartKind::video, "", 0}, {PartKind::text, "What moves?", 0}}}};
  const auto count = [&](ServerTraits traits) {
    return (*planner->build_prompt(messages, {kVideo}, traits))->num_tokens();
  };
  auto native = NativePlanner::load({.model = TRU_TEST_DATA "/models/dense-tied"});
  ASSERT_TRUE(native) << native.error().message;
  const std::int64_t exact = (*native->build_prompt(messages, {kVideo}))->num_tokens();
  ServerTraits traits;
  traits.transport = FrameTransport::frame_list;
  EXPECT_EQ(count(traits), exact);
  traits.form = PromptForm::nested;
  EXPECT_EQ(count(traits), exact + 2);
  traits.transport = FrameTransport::timed_images;
  EXPECT_GT(count(traits), exact + 100);  // small images are enlarged

  // Without a local copy: no fewer.
  const auto published = RemotePlanner::load({.model = "Nobody/Has-Pulled-This"});
  ASSERT_TRUE(published) << published.error().message;
  traits = {};
  traits.transport = FrameTransport::frame_list;
  const auto guess = (*published->build_prompt(messages, {kVideo}, traits))->num_tokens();
  EXPECT_GE(guess, 40);
  EXPECT_EQ(published->vision().video_max_pixels, 25165824);
  EXPECT_FALSE(RemotePlanner::load({.model = TRU_TEST_DATA "/media"}));
  // As llama-server names what it serves.
  EXPECT_TRUE(RemotePlanner::load({.model = "Some/Other-GGUF:Q8_0"}));
}

TEST(Planner, FindsPulledModelsInTheConfiguredCache) {
  namespace fs = std::filesystem;
  const fs::path cache = fs::path(testing::TempDir()) / "configured-hub";
  const fs::path model = cache / "models--Some--Model";
  fs::remove_all(cache);
  fs::create_directories(model / "snapshots");
  fs::create_directories(model / "refs");
  fs::create_directory_symlink(TRU_TEST_DATA "/models/dense-tied", model / "snapshots/abc");
  std::ofstream(model / "refs/main") << "abc";

  const auto planner = RemotePlanner::load({.model = "Some/Model", .hub_cache = cache});
  ASSERT_TRUE(planner) << planner.error().message;
  EXPECT_NE(planner->tokenizer(), nullptr);
  const auto native = NativePlanner::load({.model = "Some/Model", .hub_cache = cache});
  EXPECT_TRUE(native) << native.error().message;
}

TEST(RemotePlanner, TakesTheVisionFileThatIsNamed) {
  namespace fs = std::filesystem;
  const weights::TempDir dir;
  const fs::path text = weights::make_gguf(TRU_TEST_DATA "/models/dense-tied").write(dir.path());
  EXPECT_TRUE(RemotePlanner::load({.model = text.string()}));
  const fs::path vision = dir.path() / "elsewhere" / "vision.gguf";
  fs::create_directories(vision.parent_path());
  fs::rename(dir.path() / "mmproj-model.gguf", vision);
  EXPECT_FALSE(RemotePlanner::load({.model = text.string()}));
  const auto planner = RemotePlanner::load({.model = text.string(), .mmproj = vision});
  ASSERT_TRUE(planner) << planner.error().message;
  EXPECT_NE(planner->tokenizer(), nullptr);
}

TEST(FrameCode, PngKeepsEveryBit) {
  RgbFrame frame{17, 9, std::vector<std::uint8_t>(3 * 17 * 9)};
  for (std::size_t i = 0; i < frame.pixels.size(); ++i) {
    frame.pixels[i] = static_cast<std::uint8_t>(i * i + 7 * i);
  }
  const auto file = decode_base64(encode_frame(frame, FrameFormat::png));
  ASSERT_TRUE(file);
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  ASSERT_TRUE(png_image_begin_read_from_memory(&png, file->data(), file->size()));
  png.format = PNG_FORMAT_RGB;
  std::vector<std::uint8_t> pixels(PNG_IMAGE_SIZE(png));
  ASSERT_TRUE(png_image_finish_read(&png, nullptr, pixels.data(), 0, nullptr));
  EXPECT_EQ(png.width, 17u);
  EXPECT_EQ(pixels, frame.pixels);
  const auto jpeg = decode_base64(encode_frame(frame, FrameFormat::jpeg));
  EXPECT_EQ((*jpeg)[0], 0xff);
  EXPECT_EQ((*jpeg)[1], 0xd8);
}

}  // namespace
}  // namespace tru::backend
