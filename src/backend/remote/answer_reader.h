// The events of a streamed answer -> a Generation.
#pragma once

#include <boost/json.hpp>

#include "backend/backend.h"
#include "base/stopwatch.h"
#include "text/tokenizer.h"

namespace tru::backend {

class AnswerReader {
 public:
  // model: the name that must answer. tokenizer: of a local copy, or null; it knows the bytes of
  // tokens better than servers, which write characters. prompt_tokens: as planned. The arguments
  // outlive this.
  AnswerReader(const GenerationParams& params, const std::string& model,
               const text::Tokenizer* tokenizer, std::int64_t prompt_tokens,
               AnswerListener& listener)
      : params_(params),
        model_(model),
        tokenizer_(tokenizer),
        prompt_tokens_(prompt_tokens),
        listener_(listener) {
    listener_.on_progress(Stage::prefill, 0, prompt_tokens_);
  }

  // The data of one event. Errors: backend_protocol, and what the server says went wrong.
  Status on_event(const std::string& data);

  // Whether some of the answer has been heard: it can't be asked for again.
  bool started() const { return num_tokens_ > 0; }
  // Whether nothing more is wanted.
  bool ended() const { return ended_; }

  // After the last event. Error: backend_protocol when the answer was cut off.
  Result<Generation> finish();

 private:
  Status read(const boost::json::object& event);
  void read_choice(const boost::json::object& choice);
  void read_logprobs(const boost::json::object& logprobs);
  void read_usage(const boost::json::object& usage);
  void count(std::int64_t tokens);
  AlternativeToken token_of(const boost::json::object& entry) const;

  const GenerationParams& params_;
  const std::string& model_;
  const text::Tokenizer* tokenizer_;
  const std::int64_t prompt_tokens_;
  AnswerListener& listener_;
  Generation generation_;
  Stopwatch watch_;
  std::int64_t num_tokens_ = 0;
  bool has_usage_ = false;
  bool ended_ = false;
};

}  // namespace tru::backend
