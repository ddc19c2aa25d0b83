// THE MAIN PATH: a question about videos -> its answer.
#pragma once

#include <stop_token>

#include "backend/backend.h"
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

// Runs no model. Errors: media_*, invalid_argument; a prompt beyond the context is only an error of
// answer_video, unless the profile is one that fits itself to the context.
Result<PlannedQuestion> plan_question(const Question& question, const VideoDefaults& defaults,
                                      const backend::Planner& planner);

// Decodes on its own thread while this one runs the model. Errors: those of plan_question,
// context_overflow, engine_failed, cancelled.
Result<Answer> answer_video(const Question& question, const VideoDefaults& defaults,
                            backend::Backend& backend, backend::AnswerListener& listener,
                            std::stop_token stop);

}  // namespace tru::pipeline
