// The command line, parsed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/settings.h"
#include "backend/make_backend.h"
#include "fetch/fetcher.h"
#include "pipeline/conversation.h"
#include "pipeline/question.h"

namespace CLI {
class App;
}

namespace tru::app {

struct VideoOptions {
  media::VideoParams params;
  std::optional<double> start_s;
  std::optional<std::string> profile;
  std::optional<std::string> timing;
};

struct GenerationOptions {
  std::optional<std::uint64_t> seed;
  std::optional<int> logprobs;
  std::vector<std::string> stop;
};

struct AskOptions {
  SettingFlags settings;
  VideoOptions video;
  GenerationOptions generation;
  std::vector<std::string> words;   // MEDIA... QUESTION
  std::vector<std::string> images;  // --image
  std::string messages;             // --messages
  std::string system;
  bool together = false;
  bool json = false;
  bool quiet = false;
};

struct PlanOptions {
  SettingFlags settings;
  VideoOptions video;
  std::vector<std::string> videos;
  bool json = false;
};

struct BenchOptions {
  SettingFlags settings;
  VideoOptions video;
  std::string clip;
  std::vector<std::string> stages;  // empty: all
  int prompt_tokens = 512;
  int generated_tokens = 32;
  std::string compare;  // a file that --json wrote; empty: none
  bool json = false;
};

struct ServeOptions {
  SettingFlags settings;
  bool openapi = false;   // print openapi.json
  bool api_docs = false;  // print docs/API.md
};

struct PullOptions {
  SettingFlags settings;
  std::string model;
  std::string revision = "main";
  bool json = false;
  bool quiet = false;
};

struct SettingsOptions {
  bool markdown = false;
  bool env = false;
};

// Describe the flags of a subcommand; parsing fills the options.
void add_ask(CLI::App& command, AskOptions& options);
void add_plan(CLI::App& command, PlanOptions& options);
void add_bench(CLI::App& command, BenchOptions& options);
void add_serve(CLI::App& command, ServeOptions& options);
void add_pull(CLI::App& command, PullOptions& options);
void add_settings_command(CLI::App& command, SettingsOptions& options);

// What the settings say about the native engine, the demo model filled in. Error: config_invalid.
Result<backend::NativeConfig> native_config(Settings& settings);
// What they say about whichever back end answers. log: see RemoteConfig. Error: config_invalid.
Result<backend::BackendConfig> backend_config(Settings& settings,
                                              std::function<void(const std::string&)> log);
// ALLOWED_URL_PORTS, ALLOW_PRIVATE_URLS, UPLOAD_DIR and MAX_VIDEO_SIZE_MB.
fetch::FetchConfig fetch_config(const Settings& settings);
// The options over the settings. Error: invalid_argument.
Result<pipeline::VideoRequest> video_request(const VideoOptions& options);
backend::GenerationParams generation_params(const GenerationOptions& options,
                                            const Settings& settings);

}  // namespace tru::app
