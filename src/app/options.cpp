#include "app/options.h"

#include <CLI/CLI.hpp>
#include <random>

#include "tensor/device.h"

namespace tru::app {
namespace {

void add_video(CLI::App& command, VideoOptions& options) {
  media::VideoParams& params = options.params;
  const auto add = [&](const char* flag, auto& field, const char* help) {
    return command.add_option(flag, field, help)->type_name("N")->group("Video");
  };
  auto* fps = add("--fps", params.fps, "frames per second, up to 60");
  add("--num-frames", params.num_frames, "exactly this many frames")->excludes(fps);
  add("--max-frames", params.max_frames, "at most this many frames");
  add("--min-pixels", params.min_pixels, "per frame");
  add("--max-pixels", params.max_pixels, "per frame");
  add("--total-pixels", params.total_pixels, "frames * height * width");
  add("--start", options.start_s, "watch from this second on")->type_name("S");
  add("--end", params.end_s, "watch up to this second")->type_name("S");
  add("--profile", options.profile,
      "pixel limits: the checkpoint's own, or a budget that fits the context")
      ->type_name("NAME")
      ->check(CLI::IsMember({"checkpoint", "quick", "balanced", "detailed"}));
  add("--timing", options.timing,
      "stamp frames with their true time, or with number / average rate")
      ->type_name("NAME")
      ->check(CLI::IsMember({"pts", "index"}));
}

void add_generation(CLI::App& command, GenerationOptions& options) {
  const auto add = [&](const char* flag, auto& field, const char* help) {
    return command.add_option(flag, field, help)->group("Answer");
  };
  add("--seed", options.seed, "same seed, same answer")->type_name("N");
  add("--stop", options.stop, "end the answer before this text (repeatable)")
      ->type_name("TEXT")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  add("--logprobs", options.logprobs, "with --json: tokens with this many alternatives each")
      ->check(CLI::Range(0, 20));
}

}  // namespace

void add_ask(CLI::App& command, AskOptions& options) {
  command.footer(
      "Examples:\n"
      "  tru ask clip.mp4 \"What happens?\"\n"
      "  tru ask a.mp4 b.mp4 \"How do these differ?\" --together\n"
      "  tru ask --image chart.png \"What does it show?\"\n"
      "  tru ask clip.mp4 \"When does the dog jump?\" --start 30 --end 60 --fps 4");
  command.add_option("media_and_question", options.words, "videos, then the question")
      ->type_name("VIDEO... QUESTION");
  command.add_option("--image", options.images, "a picture to look at (repeatable)")
      ->type_name("FILE")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command
      .add_option("--messages", options.messages,
                  "an OpenAI-style message list instead of VIDEO and QUESTION")
      ->type_name("FILE");
  command.add_option("--system", options.system, "system prompt")->type_name("TEXT");
  command.add_flag("--together", options.together, "one answer about all videos");
  command.add_flag("--json", options.json, "print one JSON object per answer");
  command.add_flag("-q,--quiet", options.quiet, "no progress on stderr");
  add_video(command, options.video);
  add_generation(command, options.generation);
  add_settings(command, {SettingGroup::answer, SettingGroup::model, SettingGroup::remote},
               options.settings);
}

void add_plan(CLI::App& command, PlanOptions& options) {
  command.add_option("videos", options.videos, "videos to plan for")
      ->type_name("VIDEO")
      ->required();
  command.add_flag("--json", options.json, "print one JSON object per video");
  add_video(command, options.video);
  add_settings(command, {SettingGroup::model, SettingGroup::remote}, options.settings);
}

void add_bench(CLI::App& command, BenchOptions& options) {
  command.add_option("clip", options.clip, "the video to measure with")
      ->type_name("VIDEO")
      ->required();
  command.add_option("--stages", options.stages, "only these, separated by commas")
      ->delimiter(',')
      ->check(CLI::IsMember(
          {"decode", "resize", "vision", "prefill", "generate", "first_token", "memory"}));
  command.add_option("--prompt-tokens", options.prompt_tokens, "length of the prefill run")
      ->check(CLI::Range(1, 1 << 20));
  command
      .add_option("--generated-tokens", options.generated_tokens, "length of the generation run")
      ->check(CLI::Range(1, 1 << 16));
  command.add_option("--compare", options.compare, "put what --json once wrote beside it")
      ->type_name("FILE")
      ->check(CLI::ExistingFile);
  command.add_flag("--json", options.json, "print JSON");
  add_video(command, options.video);
  add_settings(command, {SettingGroup::model, SettingGroup::remote}, options.settings);
}

void add_serve(CLI::App& command, ServeOptions& options) {
  using enum SettingGroup;
  add_settings(command, {model, answer, video, remote, service, access, hub}, options.settings);
  auto* openapi = command.add_flag("--openapi", options.openapi, "print openapi.json and end");
  command
      .add_flag("--api-docs", options.api_docs, "print the API's reference, docs/API.md, and end")
      ->excludes(openapi);
}

void add_pull(CLI::App& command, PullOptions& options) {
  command.footer(
      "Prints the model's folder, or its GGUF file. Run it again to go on where it was stopped.\n"
      "Of a repository of GGUF files it takes one and its vision file: that of the tag, else\n"
      "Q4_K_M, else Q8_0, else the first.\n"
      "Examples: tru pull Qwen/Qwen3-VL-2B-Instruct\n"
      "          tru pull Qwen/Qwen3-VL-2B-Instruct-GGUF:Q8_0");
  command.add_option("model", options.model, "name on the Hugging Face hub")
      ->type_name("ORG/MODEL[:TAG]")
      ->required();
  command.add_option("--revision", options.revision, "branch, tag or commit [main]")
      ->type_name("NAME");
  command.add_flag("--json", options.json, "print a JSON object");
  command.add_flag("-q,--quiet", options.quiet, "no progress on stderr");
  add_settings(command, {SettingGroup::hub}, options.settings);
}

void add_settings_command(CLI::App& command, SettingsOptions& options) {
  auto* markdown = command.add_flag("--markdown", options.markdown,
                                    "print the reference of all settings, docs/CONFIGURATION.md");
  command.add_flag("--env", options.env, "print an environment file with every setting explained")
      ->excludes(markdown);
}

Result<backend::NativeConfig> native_config(Settings& settings) {
  if (settings.model_backend != "hf") {
    return fail(ErrorCode::config_invalid,
                "MODEL_BACKEND is '{}'; this command measures the native engine (hf)",
                settings.model_backend);
  }
  backend::NativeConfig config = settings.native;
  settings.demo_model = config.model.empty();
  if (settings.demo_model) {
    TRU_TRY(config.model, demo_model_dir());
  }
  return config;
}

Result<backend::BackendConfig> backend_config(Settings& settings,
                                              std::function<void(const std::string&)> log) {
  backend::BackendConfig config;
  config.remote = settings.model_backend == "vllm";
  if (!config.remote) {
    TRU_TRY(config.native, native_config(settings));
    const auto missing = tensor::missing_gpu();
    if (missing && config.native.device == "auto") {
      log(fmt::format("{}; {}", missing->what, missing->fix));
    }
    return config;
  }
  const VllmSettings& vllm = settings.vllm;
  config.servers.base_urls = vllm.base_urls;
  config.servers.api_key = vllm.api_key;
  config.servers.model = settings.native.model;
  config.servers.hub_cache = settings.native.hub_cache;
  config.servers.mmproj = settings.native.mmproj;
  config.servers.max_context = settings.native.max_context;
  config.servers.frame_format =
      vllm.frame_format == "png" ? backend::FrameFormat::png : backend::FrameFormat::jpeg;
  config.servers.idle_timeout = std::chrono::seconds(vllm.idle_timeout_s);
  config.servers.log = log;
  config.own_server.model = settings.native.model;
  config.own_server.gpu_memory_utilization = vllm.gpu_memory_utilization;
  config.own_server.tensor_parallel_size = vllm.tensor_parallel_size;
  config.own_server.max_context = settings.native.max_context;
  config.own_server.log_file = settings.service.data_dir / "vllm.log";
  config.own_server.log = std::move(log);
  return config;
}

fetch::FetchConfig fetch_config(const Settings& settings) {
  fetch::FetchConfig config;
  config.allowed_ports = settings.access.allowed_url_ports;
  config.allow_private = settings.access.allow_private_urls;
  config.folder = settings.service.upload_dir;
  config.max_bytes = settings.service.max_video_size_mb << 20;
  return config;
}

Result<pipeline::VideoRequest> video_request(const VideoOptions& options) {
  pipeline::VideoRequest request{options.params, pipeline::Profile::none};
  if (options.start_s) request.params.start_s = *options.start_s;
  if (options.timing == "index") request.params.timing = media::Timing::index;
  if (options.profile) {
    TRU_TRY(request.profile, pipeline::parse_profile(*options.profile));
  }
  return request;
}

backend::GenerationParams generation_params(const GenerationOptions& options,
                                            const Settings& settings) {
  backend::GenerationParams params = settings.generation;
  params.seed = options.seed ? *options.seed : std::random_device()();
  params.stop = options.stop;
  params.logprobs = options.logprobs.has_value();
  params.top_logprobs = options.logprobs.value_or(0);
  return params;
}

}  // namespace tru::app
