#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "app/commands.h"
#include "app/exit_code.h"
#include "app/progress.h"
#include "base/json_text.h"
#include "base/stopwatch.h"
#include "fetch/url.h"
#include "pipeline/answer_video.h"
#include "pipeline/report_json.h"

namespace tru::app {
namespace {

namespace json = boost::json;

struct Job {
  pipeline::Question question;
  std::string prompt;  // the user's words
  std::string title;   // when there are several answers
};

// One message list from --messages, or one question about some media.
Result<Job> conversation_job(const std::string& path) {
  TRU_TRY(pipeline::Conversation conversation, pipeline::load_conversation(path));
  Job job;
  job.prompt = pipeline::last_user_text(conversation.messages);
  job.question.messages = std::move(conversation.messages);
  job.question.media = std::move(conversation.media);
  return job;
}

Job question_job(const AskOptions& options, std::vector<pipeline::MediaRef> media) {
  Job job;
  job.prompt = options.words.back();
  text::Message message{"user", {}};
  for (std::size_t i = 0; i < media.size(); ++i) message.parts.push_back({media[i].kind, "", i});
  message.parts.push_back({text::PartKind::text, job.prompt, 0});
  job.question.messages.push_back(std::move(message));
  job.question.media = std::move(media);
  return job;
}

// Where the question should stand there is a video: its question was forgotten.
bool is_medium(const std::string& word) {
  std::error_code unreadable;  // then it is no file
  return (fetch::is_web_url(word) && word.find(' ') == std::string::npos) ||
         std::filesystem::is_regular_file(word, unreadable);
}

Result<std::vector<Job>> make_jobs(const AskOptions& options,
                                   const std::vector<pipeline::MediaRef>& media) {
  std::vector<Job> jobs;
  if (!options.messages.empty()) {
    if (!options.words.empty() || !options.images.empty()) {
      return fail(ErrorCode::invalid_argument,
                  "--messages holds the whole conversation: leave out VIDEO, --image and QUESTION");
    }
    TRU_TRY(Job job, conversation_job(options.messages));
    jobs.push_back(std::move(job));
  } else {
    if (options.words.empty()) {
      return fail(ErrorCode::invalid_argument,
                  "no question was given; try: tru ask clip.mp4 \"What happens?\"");
    }
    if (is_medium(options.words.back())) {
      return fail(ErrorCode::invalid_argument,
                  "no question was given about {0}; try: tru ask {0} \"What happens?\"",
                  options.words.back());
    }
    const auto is_video = [](const auto& ref) { return ref.kind == text::PartKind::video; };
    if (options.together || std::count_if(media.begin(), media.end(), is_video) <= 1) {
      jobs.push_back(question_job(options, media));
    } else {
      // One answer per video; the images go with each.
      for (const pipeline::MediaRef& video : media) {
        if (!is_video(video)) continue;
        std::vector<pipeline::MediaRef> own;
        std::copy_if(media.begin(), media.end(), std::back_inserter(own),
                     [&](const auto& ref) { return !is_video(ref) || &ref == &video; });
        jobs.push_back(question_job(options, std::move(own)));
        jobs.back().title = video.url;
      }
    }
  }
  if (!options.system.empty()) {
    for (Job& job : jobs) {
      auto& messages = job.question.messages;
      messages.insert(messages.begin(), {"system", {{text::PartKind::text, options.system, 0}}});
    }
  }
  return jobs;
}

json::object to_json(const Job& job, const pipeline::Answer& answer,
                     const backend::ModelInfo& model, double load_ms) {
  const backend::Generation& generation = answer.generation;
  json::object object = {{"response", generation.text},
                         {"prompt", job.prompt},
                         {"backend", model.backend},
                         {"model", model.name},
                         {"finish_reason", generation.finish_reason},
                         {"usage", pipeline::to_json(generation.usage)}};
  if (job.question.generation.logprobs) {
    json::array tokens;
    for (const auto& token : generation.tokens) tokens.push_back(pipeline::to_json(token));
    object["tokens"] = std::move(tokens);
    object["prompt_token_ids"] = json::value_from(generation.prompt_token_ids);
  }
  object["video_report"] = pipeline::to_json(answer.videos);
  object["timings_ms"] = pipeline::to_json(answer.timings);
  object["timings_ms"].get_object()["load"] = load_ms;
  return object;
}

// What a person should know beside the answer, on stderr.
void print_notes(const pipeline::Answer& answer) {
  for (const pipeline::VideoReport& video : answer.videos) {
    for (const std::string& warning : video.warnings) {
      fmt::print(stderr, "note: {}: {}\n", video.info.source, warning);
    }
  }
  const backend::Generation& generation = answer.generation;
  if (generation.finish_reason == "length") {
    fmt::print(stderr, "note: the answer was cut at {} tokens (--max-tokens)\n",
               generation.usage.completion_tokens);
  }
  if (generation.finish_reason == "repetition") {
    fmt::print(stderr, "note: the answer was ended because it only repeated itself\n");
  }
  const auto tokens = static_cast<double>(generation.usage.completion_tokens);
  const double generate_s = generation.timings.generate_ms / 1000;
  fmt::print(stderr, "{} prompt tokens, first answer token after {:.1f} s",
             generation.usage.prompt_tokens, answer.timings.first_token_ms / 1000);
  if (tokens > 1 && generate_s > 0) {
    fmt::print(stderr, ", then {:.1f} tokens/s", (tokens - 1) / generate_s);
  }
  if (generation.reused_temporal_patches > 0) {
    fmt::print(stderr, "; {} frame pairs looked like the one before and were not encoded again",
               generation.reused_temporal_patches);
  }
  fmt::print(stderr, "\n");
}

}  // namespace

std::vector<pipeline::MediaRef> media_in_order(const CLI::App& command, const AskOptions& options) {
  std::vector<pipeline::MediaRef> media;
  std::size_t word = 0, image = 0;
  for (const CLI::Option* option : command.parse_order()) {
    if (option == command.get_option("media_and_question")) {
      if (++word == options.words.size()) continue;  // the question
      media.push_back({text::PartKind::video, options.words[word - 1]});
    } else if (option == command.get_option("--image")) {
      media.push_back({text::PartKind::image, options.images[image++]});
    }
  }
  return media;
}

int ask(const AskOptions& options, const std::vector<pipeline::MediaRef>& media,
        std::stop_token stop) {
  auto settings = read_settings(options.settings);
  if (!settings) return report(settings.error());
  auto jobs = make_jobs(options, media);
  if (!jobs) return report(jobs.error());
  const auto video = video_request(options.video);
  if (!video) return report(video.error());
  const bool show = !options.quiet;
  const auto note = [show](const std::string& line) {
    if (show) fmt::print(stderr, "note: {}\n", line);
  };
  const auto config = backend_config(*settings, note);
  if (!config) return report(config.error());

  if (settings->demo_model && show) {
    fmt::print(stderr,
               "demo model: knows coloured shapes only. For real videos: "
               "tru pull Qwen/Qwen3-VL-2B-Instruct\n");
  }
  const Stopwatch load_watch;
  const auto backend = backend::make_backend(*config, stop);
  if (!backend) return report(backend.error());
  const double load_ms = load_watch.elapsed_ms();

  const fetch::Fetcher fetcher(fetch_config(*settings));
  int code = kOk;
  for (Job& job : *jobs) {
    job.question.video = *video;
    job.question.generation = generation_params(options.generation, *settings);
    if (!job.title.empty() && !options.json) fmt::print("{}:\n", job.title);
    Progress progress(show, !options.json);
    const auto answer =
        pipeline::answer_video(job.question, settings->video, fetcher, **backend, progress, stop);
    progress.clear();
    if (!answer) {
      code = report(answer.error());
      if (stop.stop_requested()) return code;
      continue;
    }
    if (options.json) {
      fmt::print("{}\n", to_json_text(to_json(job, *answer, (*backend)->info(), load_ms)));
    } else {
      fmt::print("\n");
    }
    std::fflush(stdout);
    if (show) print_notes(*answer);
  }
  return code;
}

}  // namespace tru::app
