#include <boost/json.hpp>

#include "app/commands.h"
#include "app/exit_code.h"
#include "app/machine.h"
#include "app/progress.h"
#include "base/json_text.h"
#include "pipeline/answer_video.h"
#include "pipeline/report_json.h"

namespace tru::app {
namespace {

namespace json = boost::json;

std::string join(const std::vector<std::string>& values) {
  return values.empty() ? "none" : fmt::format("{}", fmt::join(values, ", "));
}

// Of long clips the first and the last; --json has all.
std::string frame_times(const std::vector<media::PlannedFrame>& frames) {
  constexpr std::size_t kShown = 24, kEnds = 8;
  std::string times;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (frames.size() > kShown && i == kEnds) {
      times += " ...";
      i = frames.size() - kEnds;
    }
    times += fmt::format("{}{:.2f}", times.empty() ? "" : " ", frames[i].time_s);
  }
  return times;
}

void print_table(const pipeline::VideoReport& report, const backend::Estimate& estimate,
                 const backend::ModelInfo& model) {
  const media::VideoInfo& info = report.info;
  const media::VideoPlan& plan = report.plan;
  const auto row = [](std::string_view name, const std::string& value) {
    fmt::print("  {:<12}{}\n", name, value);
  };
  fmt::print("{}\n", info.source);
  row("video",
      fmt::format("{} in {}, {}x{}, {:.3f} frames/s{}{}", info.codec, info.container, info.width,
                  info.height, info.sampling_fps, info.variable_frame_rate ? " (variable)" : "",
                  info.interlaced ? ", interlaced" : ""));
  row("duration", fmt::format("{:.3f} s, {} frames", info.duration_s, info.frames_total));
  row("seen",
      fmt::format("{} frames of {}x{}", plan.frames.size(), plan.size.width, plan.size.height));
  row("at (s)", frame_times(plan.frames));
  row("tokens", fmt::format("{} visual, {} in all; the context holds {}", plan.video_tokens,
                            estimate.prompt_tokens, model.max_context));
  row("limits", join(plan.limits));
  row("sound", info.has_audio ? "present, not used" : "none");
  row("subtitles", info.has_text_subtitles ? "present, not used" : "none");
  if (estimate.memory_bytes) {
    row("memory", fmt::format("{} MiB beside the mapped weights", *estimate.memory_bytes >> 20));
  }
  if (estimate.first_token_s) {
    row("first token",
        fmt::format("after about {:.1f} s on this machine", *estimate.first_token_s));
  }
  for (const std::string& warning : report.warnings) row("note", warning);
}

// Weights in their own format are mapped: they come on top of what the estimate counts.
std::optional<std::string> memory_note(const Settings& settings,
                                       const backend::Estimate& estimate) {
  if (settings.model_backend != "hf" || settings.native.model.empty()) return std::nullopt;
  double needed = static_cast<double>(estimate.memory_bytes.value_or(0));
  if (settings.native.weights == "auto") {
    needed += checkpoint_bytes(settings.native).value_or(0);
  }
  return memory_warning(needed, machine_memory().total_bytes);
}

}  // namespace

int plan(const PlanOptions& options, std::stop_token stop) {
  auto settings = read_settings(options.settings);
  if (!settings) return report(settings.error());
  const auto video = video_request(options.video);
  if (!video) return report(video.error());
  const auto config = backend_config(*settings, [](const std::string&) {});
  if (!config) return report(config.error());
  const auto loaded = backend::make_planner(*config, stop);
  if (!loaded) return report(loaded.error());
  backend::Planner& planner = **loaded;

  const fetch::Fetcher fetcher(fetch_config(*settings));
  int code = kOk;
  for (const std::string& path : options.videos) {
    pipeline::Question question;
    question.media = {{text::PartKind::video, path}};
    question.messages = {{"user", {{text::PartKind::video, "", 0}}}};
    question.video = *video;
    question.generation = settings->generation;
    Progress progress(!options.json, false);
    const auto files = pipeline::fetch_media(question.media, fetcher, progress, stop);
    progress.clear();
    if (!files) {
      code = report(files.error());
      continue;
    }
    const auto planned = pipeline::plan_question(question, *files, settings->video, planner);
    if (!planned) {
      code = report(planned.error());
      continue;
    }
    const auto estimate =
        planner.estimate(*planned->prompt, planned->shapes(), question.generation.max_tokens);
    if (!estimate) return report(estimate.error());
    const backend::ModelInfo model = planner.info();
    const auto reports = planned->reports();
    if (options.json) {
      const json::object object = {{"video_report", pipeline::to_json(reports)},
                                   {"estimate", pipeline::to_json(*estimate, model)}};
      fmt::print("{}\n", to_json_text(object));
      continue;
    }
    print_table(reports.front(), *estimate, model);
    if (estimate->prompt_tokens >= model.max_context) {
      fmt::print("  {:<12}does not fit the context: try --profile quick or --max-frames\n", "note");
    }
    if (const auto warning = memory_note(*settings, *estimate)) {
      fmt::print("  {:<12}{}\n", "note", *warning);
    }
  }
  return code;
}

}  // namespace tru::app
