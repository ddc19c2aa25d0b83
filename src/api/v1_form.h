// Answers as the platform before gave them, and more: /v1/inference/*.
#pragma once

#include "api/asking.h"

namespace tru::api {

struct V1Facts {
  std::string prompt;
  std::string video_source;  // the address, or the upload's file name
  std::string request_id;
  std::string backend;
  std::string model;
  bool logprobs = false;
  bool html = false;  // a page instead of JSON, for people without JavaScript
};

std::shared_ptr<AnswerForm> v1_form(V1Facts facts);

}  // namespace tru::api
