// Finds the strings at which an answer must end, in text that comes in pieces.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tru::backend {

class StopStrings {
 public:
  explicit StopStrings(std::vector<std::string> strings) : strings_(std::move(strings)) {}

  // The text that is certain to belong to the answer. What might be the beginning of a stop string
  // is held back; what follows a stop string is dropped, and found() is true from then on.
  std::string push(std::string_view text);

  // What was held back, when no more text comes.
  std::string finish();

  bool found() const { return found_; }

 private:
  std::vector<std::string> strings_;
  std::string held_;
  bool found_ = false;
};

}  // namespace tru::backend
