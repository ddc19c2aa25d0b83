#include "app/options.h"

#include <random>

namespace tru::app {
namespace {

void add_model(CLI::App& command, ModelOptions& options) {
  auto* group = command.add_option_group("Model");
  group->add_option("--model", options.model, "checkpoint folder or ORG/NAME [MODEL_PATH]")
      ->type_name("DIR|ORG/NAME");
  group->add_option("--weights", options.weights, "number format of the weights [WEIGHTS]")
      ->check(CLI::IsMember({"auto", "f32", "bf16", "int8", "int4"}));
  group->add_option("--device", options.device, "auto, cpu or a GPU's name [DEVICE]")
      ->type_name("NAME");
  group->add_option("--threads", options.threads, "CPU threads, 0: all [THREADS]")
      ->check(CLI::Range(0, 512));
  group
      ->add_option("--max-context", options.max_context,
                   "tokens of prompt and answer [MAX_CONTEXT]")
      ->check(CLI::Range(256, 1 << 24));
}

void add_video(CLI::App& command, VideoOptions& options) {
  auto* group = command.add_option_group("Video");
  media::VideoParams& params = options.params;
  auto* fps = group->add_option("--fps", params.fps, "frames per second, up to 60")->type_name("N");
  group->add_option("--num-frames", params.num_frames, "exactly this many frames")
      ->type_name("N")
      ->excludes(fps);
  group->add_option("--max-frames", params.max_frames, "at most this many frames")->type_name("N");
  group->add_option("--min-pixels", params.min_pixels, "per frame")->type_name("N");
  group->add_option("--max-pixels", params.max_pixels, "per frame")->type_name("N");
  group->add_option("--total-pixels", params.total_pixels, "frames * height * width")
      ->type_name("N");
  group->add_option("--start", options.start_s, "watch from this second on")->type_name("S");
  group->add_option("--end", params.end_s, "watch up to this second")->type_name("S");
  group
      ->add_option("--profile", options.profile,
                   "pixel limits: the checkpoint's own, or a budget that fits the context")
      ->check(CLI::IsMember({"checkpoint", "quick", "balanced", "detailed"}));
  group
      ->add_option("--timing", options.timing,
                   "stamp frames with their true time, or with number / average rate")
      ->check(CLI::IsMember({"pts", "index"}));
}

void add_generation(CLI::App& command, GenerationOptions& options) {
  auto* group = command.add_option_group("Answer");
  group->add_option("--max-tokens", options.max_tokens, "longest answer [MAX_NEW_TOKENS]")
      ->check(CLI::Range(1, 32768));
  group->add_option("--temperature", options.temperature, "0: always the likeliest [TEMPERATURE]")
      ->check(CLI::Range(0.0, 2.0));
  group->add_option("--top-p", options.top_p, "[TOP_P]")->check(CLI::Range(0.0, 1.0));
  group->add_option("--top-k", options.top_k, "0: off [TOP_K]")->check(CLI::Range(0, 1 << 20));
  group->add_option("--seed", options.seed, "same seed, same answer")->type_name("N");
  group->add_option("--stop", options.stop, "end the answer before this text (repeatable)")
      ->type_name("TEXT")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  group
      ->add_option("--logprobs", options.logprobs,
                   "with --json: tokens with this many alternatives each")
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
  add_model(command, options.model);
}

void add_plan(CLI::App& command, PlanOptions& options) {
  command.add_option("videos", options.videos, "videos to plan for")
      ->type_name("VIDEO")
      ->required();
  command.add_flag("--json", options.json, "print one JSON object per video");
  add_video(command, options.video);
  add_model(command, options.model);
}

void add_bench(CLI::App& command, BenchOptions& options) {
  command.add_option("clip", options.clip, "the video to measure with")
      ->type_name("VIDEO")
      ->required();
  command.add_option("--stages", options.stages, "only these, separated by commas")
      ->delimiter(',')
      ->check(CLI::IsMember({"decode", "resize", "vision", "prefill", "generate", "first_token"}));
  command.add_option("--prompt-tokens", options.prompt_tokens, "length of the prefill run")
      ->check(CLI::Range(1, 1 << 20));
  command
      .add_option("--generated-tokens", options.generated_tokens, "length of the generation run")
      ->check(CLI::Range(1, 1 << 16));
  command.add_flag("--json", options.json, "print JSON");
  add_video(command, options.video);
  add_model(command, options.model);
}

Result<backend::NativeConfig> native_config(const ModelOptions& options, Settings& settings) {
  backend::NativeConfig config = settings.native;
  if (options.model) config.model = *options.model;
  if (options.weights) config.weights = *options.weights;
  if (options.device) config.device = *options.device;
  if (options.threads) config.threads = *options.threads;
  if (options.max_context) config.max_context = *options.max_context;
  settings.demo_model = config.model.empty();
  if (settings.demo_model) {
    TRU_TRY(config.model, demo_model_dir());
  }
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
  if (options.max_tokens) params.max_tokens = *options.max_tokens;
  if (options.temperature) params.temperature = *options.temperature;
  if (options.top_p) params.top_p = *options.top_p;
  if (options.top_k) params.top_k = *options.top_k;
  params.seed = options.seed ? *options.seed : std::random_device()();
  params.stop = options.stop;
  params.logprobs = options.logprobs.has_value();
  params.top_logprobs = options.logprobs.value_or(0);
  return params;
}

}  // namespace tru::app
