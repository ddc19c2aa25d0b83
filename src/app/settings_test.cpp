#include "app/settings.h"

#include <gmock/gmock.h>

#include <map>

#include "app/commands.h"
#include "app/exit_code.h"
#include "app/progress.h"

namespace tru::app {
namespace {

using testing::HasSubstr;
using testing::internal::CaptureStderr;
using testing::internal::CaptureStdout;
using testing::internal::GetCapturedStderr;
using testing::internal::GetCapturedStdout;

Result<Settings> read(const std::map<std::string, std::string>& values) {
  return read_settings([&](const char* name) -> std::optional<std::string> {
    const auto found = values.find(name);
    if (found == values.end()) return std::nullopt;
    return found->second;
  });
}

TEST(Settings, DefaultsAreThoseOfThePlatformReplaced) {
  const auto settings = read({});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->video.fps, 2.0);
  EXPECT_EQ(settings->video.max_frames, 768);
  EXPECT_EQ(settings->video.min_pixels, 4096);
  EXPECT_EQ(settings->video.max_pixels, 262144);
  EXPECT_EQ(settings->video.total_pixels, 20971520);
  EXPECT_EQ(settings->generation.max_tokens, 2048);
  EXPECT_EQ(settings->generation.temperature, 0.7);
  EXPECT_EQ(settings->generation.top_p, 0.8);
  EXPECT_EQ(settings->generation.top_k, 20);
  EXPECT_EQ(settings->native.weights, "auto");
}

TEST(Settings, AreReadByTheirNames) {
  const auto settings = read({{"MODEL_PATH", "m"},
                              {"MODEL_BACKEND", "hf"},
                              {"WEIGHTS", "int8"},
                              {"DEVICE", "cpu"},
                              {"THREADS", "3"},
                              {"MAX_CONTEXT", "4096"},
                              {"DEFAULT_VIDEO_FPS", "0.5"},
                              {"DEFAULT_TOTAL_PIXELS", "1e6"},
                              {"TOP_K", "0"}});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->native.model, "m");
  EXPECT_EQ(settings->native.weights, "int8");
  EXPECT_EQ(settings->native.device, "cpu");
  EXPECT_EQ(settings->native.threads, 3);
  EXPECT_EQ(settings->native.max_context, 4096);
  EXPECT_EQ(settings->video.fps, 0.5);
  EXPECT_EQ(settings->video.total_pixels, 1000000);
  EXPECT_EQ(settings->generation.top_k, 0);
}

TEST(Settings, ABadValueIsNamedWithWhatIsAllowed) {
  const std::array<const char*, 3> cases[] = {{"DEFAULT_VIDEO_FPS", "0", "60"},
                                              {"DEFAULT_VIDEO_FPS", "nan", "60"},
                                              {"DEFAULT_MAX_FRAMES", "2049", "2048"},
                                              {"DEFAULT_MAX_PIXELS", "-5", "from 1"},
                                              {"DEFAULT_TOTAL_PIXELS", "1e30", "from 1"},
                                              {"MAX_NEW_TOKENS", "12.5", "whole number"},
                                              {"TEMPERATURE", "hot", "from 0 to 2"},
                                              {"TOP_P", "0.5x", "from 0 to 1"},
                                              {"TOP_K", " 5", "whole number"},
                                              {"MODEL_BACKEND", "gguf", "hf"}};
  for (const auto& [name, value, allowed] : cases) {
    const auto settings = read({{name, value}});
    ASSERT_FALSE(settings) << name << "=" << value;
    EXPECT_EQ(exit_code(settings.error().code), kConfig);
    EXPECT_THAT(settings.error().message, HasSubstr(name));
    EXPECT_THAT(settings.error().message, HasSubstr("'" + std::string(value) + "'"));
    EXPECT_THAT(settings.error().message, HasSubstr(allowed));
  }
}

TEST(ExitCode, FollowsTheContract) {
  EXPECT_EQ(exit_code(ErrorCode::context_overflow), 1);
  EXPECT_EQ(exit_code(ErrorCode::engine_failed), 1);
  EXPECT_EQ(exit_code(ErrorCode::invalid_argument), 2);
  EXPECT_EQ(exit_code(ErrorCode::config_invalid), 3);
  EXPECT_EQ(exit_code(ErrorCode::model_invalid), 3);
  for (const ErrorCode code :
       {ErrorCode::media_not_found, ErrorCode::media_unsupported, ErrorCode::media_empty,
        ErrorCode::media_unreadable, ErrorCode::media_no_video, ErrorCode::media_dimensions,
        ErrorCode::media_too_long}) {
    EXPECT_EQ(exit_code(code), 4) << to_string(code);
  }
}

TEST(ExitCode, AReportIsOneLineWhateverTheMessageHolds) {
  CaptureStderr();
  EXPECT_EQ(report({ErrorCode::media_not_found, "no\nsuch\x1b[2J\tfile\r"}), 4);
  EXPECT_EQ(GetCapturedStderr(), "tru: no such [2J file \n");
}

std::vector<std::string> order_of(std::vector<std::string> words) {
  CLI::App command;
  AskOptions options;
  add_ask(command, options);
  std::reverse(words.begin(), words.end());  // as CLI11 wants them
  command.parse(words);
  std::vector<std::string> names;
  for (const pipeline::MediaRef& ref : media_in_order(command, options)) {
    names.push_back((ref.kind == text::PartKind::image ? "image " : "video ") + ref.url);
  }
  return names;
}

TEST(MediaInOrder, IsThatOfTheCommandLineAndTheLastWordIsTheQuestion) {
  using testing::ElementsAre;
  EXPECT_THAT(order_of({"a.mp4", "What?"}), ElementsAre("video a.mp4"));
  EXPECT_THAT(order_of({"--image", "i.png", "What?"}), ElementsAre("image i.png"));
  EXPECT_THAT(order_of({"a.mp4", "--image", "i.png", "b.mp4", "--image=j.png", "What?", "--json"}),
              ElementsAre("video a.mp4", "image i.png", "video b.mp4", "image j.png"));
  EXPECT_THAT(order_of({"What?", "--image", "i.png"}), ElementsAre("image i.png"));
  EXPECT_THAT(order_of({"What?"}), ElementsAre());
}

TEST(Progress, IsALinePerFinishedStageWithoutATerminal) {
  CaptureStderr();
  CaptureStdout();
  Progress progress(true, true);
  progress.on_progress(backend::Stage::decode, 1, 2);
  progress.on_progress(backend::Stage::decode, 2, 2);
  progress.on_progress(backend::Stage::decode, 2, 2);  // said once
  progress.on_progress(backend::Stage::prefill, 90, 90);
  progress.on_progress(backend::Stage::generate, 1, 1);  // the answer shows it
  progress.on_text("Hi");
  progress.clear();
  EXPECT_THAT(GetCapturedStderr(), testing::MatchesRegex("decode: 2 frame pairs, [0-9.]+ s\n"
                                                         "prefill: 90 tokens, [0-9.]+ s\n"));
  EXPECT_EQ(GetCapturedStdout(), "Hi");
}

TEST(Progress, CanBeSilent) {
  CaptureStderr();
  CaptureStdout();
  Progress progress(false, false);
  progress.on_progress(backend::Stage::decode, 2, 2);
  progress.on_text("Hi");
  EXPECT_EQ(GetCapturedStderr(), "");
  EXPECT_EQ(GetCapturedStdout(), "");
}

}  // namespace
}  // namespace tru::app
