// Notes when the first text of an answer came, on its way to the real listener.
#pragma once

#include "backend/backend.h"
#include "base/stopwatch.h"

namespace tru::pipeline {

class FirstTokenClock : public backend::AnswerListener {
 public:
  FirstTokenClock(backend::AnswerListener& listener, const Stopwatch& watch)
      : listener_(listener), watch_(watch) {}

  void on_progress(backend::Stage stage, std::int64_t done, std::int64_t total) override {
    // The first generated token, also one without text.
    if (stage == backend::Stage::generate && done == 1) first_token_ms_ = watch_.elapsed_ms();
    listener_.on_progress(stage, done, total);
  }

  void on_text(std::string_view text) override { listener_.on_text(text); }
  void on_token(const backend::OutputToken& token) override { listener_.on_token(token); }

  double first_token_ms() const { return first_token_ms_; }

 private:
  backend::AnswerListener& listener_;
  const Stopwatch& watch_;
  double first_token_ms_ = 0;
};

}  // namespace tru::pipeline
