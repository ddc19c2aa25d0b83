// Answers as OpenAI's clients expect them: /v1/chat/completions.
#pragma once

#include "api/asking.h"

namespace tru::api {

struct ChatFacts {
  std::string request_id;
  std::string model;
  std::int64_t created = 0;  // seconds since 1970
  bool logprobs = false;
  bool include_usage = false;  // in streams
  bool progress = false;       // streams also tell of queue and stages, in events with a name
};

std::shared_ptr<AnswerForm> chat_form(ChatFacts facts);

}  // namespace tru::api
