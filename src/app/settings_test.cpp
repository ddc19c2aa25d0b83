#include "app/settings.h"

#include <gmock/gmock.h>
#include <CLI/CLI.hpp>

#include <fstream>
#include <map>

#include "app/access.h"
#include "app/commands.h"
#include "app/exit_code.h"
#include "app/machine.h"
#include "app/progress.h"
#include "app/settings_table.h"

namespace tru::app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::internal::CaptureStderr;
using testing::internal::CaptureStdout;
using testing::internal::GetCapturedStderr;
using testing::internal::GetCapturedStdout;

Result<Settings> read(const std::map<std::string, std::string>& values,
                      const SettingFlags& flags = {}) {
  return read_settings(flags, [&](const char* name) -> std::optional<std::string> {
    const auto found = values.find(name);
    if (found == values.end()) return std::nullopt;
    return found->second;
  });
}

TEST(Settings, DefaultsAreThoseOfThePlatformReplaced) {
  const auto settings = read({{"HOME", "/h"}});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->model_backend, "hf");
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
  EXPECT_EQ(settings->service.port, 8000);
  EXPECT_EQ(settings->service.header_timeout_s, 10);
  EXPECT_EQ(settings->service.upload_grace_s, 60);
  EXPECT_EQ(settings->service.heartbeat_s, 15);
  EXPECT_EQ(settings->service.idempotency_ttl_s, 600);
  EXPECT_EQ(settings->service.shutdown_grace_s, 28);
  EXPECT_EQ(settings->service.max_video_size_mb, 1000);
  EXPECT_EQ(settings->vllm.gpu_memory_utilization, 0.9);
  EXPECT_THAT(settings->service.supported_video_formats,
              ElementsAre(".mp4", ".avi", ".mkv", ".mov", ".webm"));
  EXPECT_THAT(settings->access.cors_origins,
              ElementsAre("http://localhost:3000", "http://web:3000"));
  EXPECT_EQ(settings->access.rate_limit.amount, 0);
  EXPECT_EQ(settings->service.data_dir, "/h/.local/share/tru");
  EXPECT_EQ(settings->native.hub_cache, "/h/.cache/huggingface/hub");
  EXPECT_EQ(settings->native.weight_cache.dir, "/h/.cache/tru/weights");
}

TEST(Settings, AreReadByTheirNames) {
  const auto settings = read({{"MODEL_PATH", "m"},
                              {"MODEL_BACKEND", "VLLM"},
                              {"WEIGHTS", "int8"},
                              {"DEVICE", "cpu"},
                              {"THREADS", "3"},
                              {"MAX_CONTEXT", "4096"},
                              {"DEFAULT_VIDEO_FPS", "0.5"},
                              {"DEFAULT_TOTAL_PIXELS", "1e6"},
                              {"TOP_K", "0"},
                              {"VLLM_BASE_URL", "http://a:1, https://b/v1"},
                              {"CORS_ORIGINS", R"(["https://x.example:8443"])"},
                              {"API_KEYS", "one,two,"},
                              {"RATE_LIMIT", "90/h"},
                              {"UPLOAD_QUOTA", "1500MB/d"},
                              {"ALLOWED_URL_PORTS", "[80, 8443]"},
                              {"ALLOW_PRIVATE_URLS", "Yes"},
                              {"LOG_LEVEL", "INFO"},
                              {"HF_HOME", "/hf"},
                              {"XDG_DATA_HOME", "/data"}});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->native.model, "m");
  EXPECT_EQ(settings->model_backend, "vllm");
  EXPECT_EQ(settings->native.weights, "int8");
  EXPECT_EQ(settings->native.device, "cpu");
  EXPECT_EQ(settings->native.threads, 3);
  EXPECT_EQ(settings->native.max_context, 4096);
  EXPECT_EQ(settings->video.fps, 0.5);
  EXPECT_EQ(settings->video.total_pixels, 1000000);
  EXPECT_EQ(settings->generation.top_k, 0);
  EXPECT_THAT(settings->vllm.base_urls, ElementsAre("http://a:1", "https://b/v1"));
  EXPECT_THAT(settings->access.cors_origins, ElementsAre("https://x.example:8443"));
  EXPECT_THAT(settings->access.api_keys, ElementsAre("one", "two"));
  EXPECT_EQ(settings->access.rate_limit.amount, 90);
  EXPECT_EQ(settings->access.rate_limit.period_s, 3600);
  EXPECT_EQ(settings->access.upload_quota.amount, 1'500'000'000);
  EXPECT_EQ(settings->access.upload_quota.period_s, 86400);
  EXPECT_THAT(settings->access.allowed_url_ports, ElementsAre(80, 8443));
  EXPECT_TRUE(settings->access.allow_private_urls);
  EXPECT_EQ(settings->service.log_level, "info");
  EXPECT_EQ(settings->native.hub_cache, "/hf/hub");
  EXPECT_EQ(settings->service.data_dir, "/data/tru");
}

TEST(Settings, ABadValueIsNamedWithWhatIsAllowed) {
  const std::array<const char*, 3> cases[] = {{"DEFAULT_VIDEO_FPS", "0", "60"},
                                              {"DEFAULT_VIDEO_FPS", "nan", "60"},
                                              {"DEFAULT_MAX_FRAMES", "2049", "2048"},
                                              {"DEFAULT_MAX_PIXELS", "-5", "from 1"},
                                              {"DEFAULT_TOTAL_PIXELS", "1e30", "from 1"},
                                              {"MAX_CONTEXT", "255", "from 256"},
                                              {"MAX_NEW_TOKENS", "12.5", "whole number"},
                                              {"TEMPERATURE", "hot", "from 0 to 2"},
                                              {"TOP_P", "0.5x", "from 0 to 1"},
                                              {"TOP_K", " 5", "whole number"},
                                              {"MODEL_BACKEND", "gguf", "hf, vllm"},
                                              {"PORT", "65536", "65535"},
                                              {"AUTH", "maybe", "auto, on, off"},
                                              {"RATE_LIMIT", "60", "60/m"},
                                              {"RATE_LIMIT", "0/m", "60/m"},
                                              {"RATE_LIMIT", "5/week", "60/m"},
                                              {"UPLOAD_QUOTA", "20/d", "20GB/d"},
                                              {"UPLOAD_QUOTA", "0GB/d", "20GB/d"},
                                              {"ALLOWED_URL_PORTS", "80,http", "1 to 65535"},
                                              {"ALLOW_PRIVATE_URLS", "2", "0 (false"},
                                              {"CORS_ORIGINS", "*", "no *"},
                                              {"CORS_ORIGINS", "http://a/b", "no path"},
                                              {"CORS_ORIGINS", "[\"http://a\"", "origins"},
                                              {"VLLM_BASE_URL", "localhost:8000", "http://"},
                                              {"HF_ENDPOINT", "ftp://hub", "http://"}};
  for (const auto& [name, value, allowed] : cases) {
    const auto settings = read({{name, value}});
    ASSERT_FALSE(settings) << name << "=" << value;
    EXPECT_EQ(exit_code(settings.error().code), kConfig);
    EXPECT_THAT(settings.error().message, HasSubstr(name));
    EXPECT_THAT(settings.error().message, HasSubstr("'" + std::string(value) + "'"));
    EXPECT_THAT(settings.error().message, HasSubstr(allowed));
  }
}

TEST(Settings, EveryOneIsAFlagAndFlagsWin) {
  CLI::App command;
  SettingFlags flags;
  add_settings(
      command,
      {SettingGroup::model, SettingGroup::answer, SettingGroup::video, SettingGroup::remote,
       SettingGroup::service, SettingGroup::access, SettingGroup::hub},
      flags);
  command.parse("--port 0 --model m --max-new-tokens 5 --allow-private-urls 1 --threads -1", false);
  EXPECT_EQ(flags.size(), 5);
  const auto bad = read({{"PORT", "70000"}}, flags);
  ASSERT_FALSE(bad);
  EXPECT_EQ(exit_code(bad.error().code), kUsage);
  EXPECT_EQ(bad.error().message, "--threads is '-1'; allowed is a whole number from 0 to 512");
  flags["THREADS"] = "2";
  const auto settings = read({{"PORT", "70000"}, {"MODEL_PATH", "other"}}, flags);
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->service.port, 0);
  EXPECT_EQ(settings->native.model, "m");
  EXPECT_EQ(settings->generation.max_tokens, 5);
  EXPECT_TRUE(settings->access.allow_private_urls);
  Settings fields;
  for (const Setting& setting : settings_table(fields)) {
    EXPECT_NE(command.get_option_no_throw(setting.flag()), nullptr) << setting.name;
  }
}

TEST(Settings, TrustedProxiesAreAddressesAndNetworks) {
  const auto settings = read({{"TRUSTED_PROXIES", "10.0.0.0/8, ::1,2001:db8::/32"}});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->access.trusted_proxies.size(), 3);
  EXPECT_FALSE(settings->access.trusted_proxies[0].contains(*Address::parse("192.0.2.1")));
  EXPECT_EQ(read({{"TRUSTED_PROXIES", R"(["192.0.2.1"])"}})->access.trusted_proxies.size(), 1);
  for (const char* bad : {"nginx", "10.0.0.1/8", "0.0.0.0/0", "10.0.0.0/8 ::1", "*", "[1]"}) {
    const auto refused = read({{"TRUSTED_PROXIES", bad}});
    ASSERT_FALSE(refused) << bad;
    EXPECT_THAT(refused.error().message,
                testing::AllOf(HasSubstr("TRUSTED_PROXIES is '"), HasSubstr("no names")));
  }
}

TEST(Access, AutoAsksForKeysUnlessOnlyThisMachineCanReachIt) {
  EXPECT_FALSE(needs_keys(*read({})));
  EXPECT_FALSE(needs_keys(*read({{"HOST", "::1"}})));
  EXPECT_TRUE(needs_keys(*read({{"HOST", "0.0.0.0"}})));
  // A proxy on this machine lets others in, however local its connections are.
  EXPECT_TRUE(needs_keys(*read({{"TRUSTED_PROXIES", "127.0.0.1"}})));
  EXPECT_FALSE(needs_keys(*read({{"TRUSTED_PROXIES", "127.0.0.1"}, {"AUTH", "off"}})));
}

TEST(Settings, WhatIsShownIsReadBackTheSame) {
  Settings defaults;
  for (const Setting& setting : settings_table(defaults)) {
    const std::string shown = setting.value.show();
    if (shown.empty()) continue;
    EXPECT_TRUE(setting.value.assign(shown)) << setting.name << "=" << shown;
    EXPECT_EQ(setting.value.show(), shown) << setting.name;
  }
}

TEST(Settings, TheReferenceInTheDocsIsThatOfTheTable) {
  std::ifstream file(TRU_DOCS "/CONFIGURATION.md");
  const std::string page(std::istreambuf_iterator<char>(file), {});
  EXPECT_EQ(page, settings_markdown())
      << "make it again: build/bin/tru settings --markdown > docs/CONFIGURATION.md";
}

TEST(Machine, WarnsOfWhatDoesNotFit) {
  const Memory memory = machine_memory();
  EXPECT_GT(memory.total_bytes, 1 << 28);
  EXPECT_LE(memory.available_bytes, memory.total_bytes);
  EXPECT_FALSE(memory_warning(4e9, 4e9));
  EXPECT_THAT(*memory_warning(17.0 * (1 << 30), 8.0 * (1 << 30)),
              testing::AllOf(HasSubstr("17.0 GiB"), HasSubstr("8.0 GiB"), HasSubstr("int4")));
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
