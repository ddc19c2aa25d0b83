// OpenAI-style message lists -> messages and the media they name.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "pipeline/question.h"

namespace tru::pipeline {

struct Conversation {
  std::vector<text::Message> messages;
  std::vector<MediaRef> media;  // in the order of their parts
};

// [{"role", "content": "..." | [{"type": "text", "text"} | {"type": "image_url", "image_url":
// {"url"}} | {"type": "video_url", "video_url": {"url"}} | {"type": "input_video", "input_video":
// {"url" | "data"}}]}]; a url may also stand directly as a string. Errors: invalid_argument, which
// names the place, such as messages[1].content[0].type.
Result<Conversation> parse_conversation(const boost::json::value& messages);

// Reads a file that holds the list itself or an object with "messages". Relative media paths count
// from the working directory or, if nothing is there, from the file's folder. Errors:
// invalid_argument.
Result<Conversation> load_conversation(const std::string& path);

// The user's last words: what `prompt` repeats in an answer.
std::string last_user_text(const std::vector<text::Message>& messages);

}  // namespace tru::pipeline
