// The main path: every stage is one call, in this order:
//
//   fetch_media -> open_media -> plan_frames -> build_prompt -> decode_frames -> generate -> Answer
//
// generate() pulls the frames through make_patches, encode_vision and the language model as they
// are decoded (engine/prompt_feed.cpp), and detokenizes (backend/native_backend.cpp).
#include "pipeline/answer_video.h"

#include "base/stopwatch.h"
#include "pipeline/first_token_clock.h"

namespace tru::pipeline {
namespace {

// At least one token of answer must fit behind the prompt.
Status check_context(const backend::Prompt& prompt, const backend::ModelInfo& model) {
  if (prompt.num_tokens() < model.max_context) return {};
  return fail(ErrorCode::context_overflow,
              "the prompt has {} tokens and the context holds {}; use fewer or smaller frames "
              "(--profile quick, --max-frames, --max-pixels), or raise --max-context",
              prompt.num_tokens(), model.max_context);
}

// Says of which videos tokens were left out because nothing moved there.
void report_dropped(const PlannedQuestion& planned, Answer& answer) {
  const auto& dropped = answer.generation.dropped_tokens;
  std::size_t video = 0;
  for (std::size_t i = 0; i < dropped.size(); ++i) {
    if (!planned.media[i].video) continue;
    VideoReport& report = answer.videos[video++];
    if (dropped[i] == 0) continue;
    report.plan.limits.push_back("unchanged_tokens");
    report.plan.video_tokens -= dropped[i];
  }
}

}  // namespace

std::vector<backend::MediaShape> PlannedQuestion::shapes() const {
  std::vector<backend::MediaShape> shapes;
  for (const MediaPlan& plan : plans) shapes.push_back(plan.shape());
  return shapes;
}

std::vector<VideoReport> PlannedQuestion::reports() const {
  std::vector<VideoReport> reports;
  for (std::size_t i = 0; i < media.size(); ++i) {
    if (media[i].video) reports.push_back(planned_report(media[i], plans[i]));
  }
  return reports;
}

Result<PlannedQuestion> plan_question(const Question& question, const std::vector<LocalFile>& files,
                                      const VideoDefaults& defaults,
                                      const backend::Planner& planner) {
  const backend::ModelInfo model = planner.info();
  PlannedQuestion planned;

  // What are these files, and when is each of their frames shown?
  TRU_TRY(planned.media, open_media(question.media, files));

  // A profile's budget shrinks until prompt and answer fit the context; other limits are taken at
  // their word.
  std::optional<std::int64_t> visual_tokens;
  if (const auto budget = budget_of(question.video.profile)) visual_tokens = budget->visual_tokens;
  while (true) {
    // Which frames, and how large?
    TRU_TRY(planned.plans,
            plan_frames(planned.media, question.video, defaults, model.vision, visual_tokens));
    // The conversation in the model's own tokens, with places for the frames.
    TRU_TRY(planned.prompt, planner.build_prompt(question.messages, planned.shapes()));

    const std::int64_t needed = planned.prompt->num_tokens() + question.generation.max_tokens;
    if (!visual_tokens || needed <= model.max_context || *visual_tokens < 64) return planned;
    *visual_tokens /= 2;
  }
}

Result<Answer> answer_video(const Question& question, const VideoDefaults& defaults,
                            const fetch::Fetcher& fetcher, backend::Backend& backend,
                            backend::AnswerListener& listener, std::stop_token stop) {
  const Stopwatch watch;

  // What is on the web comes here first.
  TRU_TRY(const auto files, fetch_media(question.media, fetcher, listener, stop));
  TRU_TRY(const PlannedQuestion planned, plan_question(question, files, defaults, backend));
  return answer_planned(question, planned, watch, backend, listener, stop);
}

Result<Answer> answer_planned(const Question& question, const PlannedQuestion& planned,
                              const Stopwatch& watch, backend::Backend& backend,
                              backend::AnswerListener& listener, std::stop_token stop) {
  TRU_CHECK(check_context(*planned.prompt, backend.info()));

  // Frames come from here on their own thread, a few at a time.
  const auto frames = decode_frames(planned.media, planned.plans);

  // The model watches, and answers.
  FirstTokenClock clock(listener, watch);
  Answer answer;
  backend::GenerationParams params = question.generation;
  params.drop_unchanged = question.video.profile == Profile::quick;
  TRU_TRY(answer.generation,
          backend.generate(*planned.prompt, frames->sources(), params, clock, stop));

  answer.videos = frames->reports();
  report_dropped(planned, answer);
  answer.timings = {frames->decode_ms(),
                    answer.generation.timings.vision_ms,
                    answer.generation.timings.prefill_ms,
                    answer.generation.timings.generate_ms,
                    clock.first_token_ms(),
                    watch.elapsed_ms()};
  return answer;
}

}  // namespace tru::pipeline
