// THE MAIN PATH: a question about videos -> its answer.
#pragma once

#include <stop_token>

#include "backend/backend.h"
#include "base/stopwatch.h"
#include "pipeline/media_set.h"
#include "pipeline/question.h"

namespace tru::pipeline {

// What a question comes to before anything is decoded: frames chosen, prompt written.
struct PlannedQuestion {
  std::vector<OpenMedia> media;
  std::vector<MediaPlan> plans;
  std::unique_ptr<backend::Prompt> prompt;

  std::vector<backend::MediaShape> shapes() const;
  std::vector<VideoReport> reports() const;  // one per video, as planned
};

// Runs no model. files: those of question.media, from fetch_media(). Errors: media_*,
// invalid_argument; a prompt beyond the context is only an error of answer_video, unless the
// profile is one that fits itself to the context.
Result<PlannedQuestion> plan_question(const Question& question, const std::vector<LocalFile>& files,
                                      const VideoDefaults& defaults,
                                      const backend::Planner& planner);

// Decodes on its own thread while this one runs the model. Errors: those of fetch_media,
// plan_question and Backend::generate(), context_overflow.
Result<Answer> answer_video(const Question& question, const VideoDefaults& defaults,
                            const fetch::Fetcher& fetcher, backend::Backend& backend,
                            backend::AnswerListener& listener, std::stop_token stop);

// The second half of answer_video, for those who plan ahead; watch: since the question.
Result<Answer> answer_planned(const Question& question, const PlannedQuestion& planned,
                              const Stopwatch& watch, backend::Backend& backend,
                              backend::AnswerListener& listener, std::stop_token stop);

}  // namespace tru::pipeline
