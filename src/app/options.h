// The command line, parsed.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "app/settings.h"
#include "pipeline/conversation.h"
#include "pipeline/question.h"

namespace tru::app {

// Flags that override Settings.
struct ModelOptions {
  std::optional<std::string> model;
  std::optional<std::string> weights;
  std::optional<std::string> device;
  std::optional<int> threads;
  std::optional<std::int64_t> max_context;
};

struct VideoOptions {
  media::VideoParams params;
  std::optional<double> start_s;
  std::optional<std::string> profile;
  std::optional<std::string> timing;
};

struct GenerationOptions {
  std::optional<std::int64_t> max_tokens;
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<int> top_k;
  std::optional<std::uint64_t> seed;
  std::optional<int> logprobs;
  std::vector<std::string> stop;
};

struct AskOptions {
  ModelOptions model;
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
  ModelOptions model;
  VideoOptions video;
  std::vector<std::string> videos;
  bool json = false;
};

struct BenchOptions {
  ModelOptions model;
  VideoOptions video;
  std::string clip;
  std::vector<std::string> stages;  // empty: all
  int prompt_tokens = 512;
  int generated_tokens = 32;
  bool json = false;
};

// Describe the flags of a subcommand; parsing fills the options.
void add_ask(CLI::App& command, AskOptions& options);
void add_plan(CLI::App& command, PlanOptions& options);
void add_bench(CLI::App& command, BenchOptions& options);

// The options over the settings. Errors: invalid_argument, config_invalid.
Result<backend::NativeConfig> native_config(const ModelOptions& options, Settings& settings);
Result<pipeline::VideoRequest> video_request(const VideoOptions& options);
backend::GenerationParams generation_params(const GenerationOptions& options,
                                            const Settings& settings);

}  // namespace tru::app
