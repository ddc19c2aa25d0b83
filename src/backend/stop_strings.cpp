#include "backend/stop_strings.h"

#include <algorithm>
#include <utility>

namespace tru::backend {
namespace {

// Length of the longest end of `text` that begins `string`.
std::size_t overlap(std::string_view text, std::string_view string) {
  std::size_t length = std::min(text.size(), string.size() - 1);
  while (length > 0 && text.substr(text.size() - length) != string.substr(0, length)) --length;
  return length;
}

}  // namespace

std::string StopStrings::push(std::string_view text) {
  if (found_) return {};
  held_ += text;
  std::size_t end = std::string::npos;
  std::size_t keep_back = 0;
  for (const std::string& string : strings_) {
    if (string.empty()) continue;
    end = std::min(end, held_.find(string));
    keep_back = std::max(keep_back, overlap(held_, string));
  }
  found_ = end != std::string::npos;
  std::string certain = held_.substr(0, found_ ? end : held_.size() - keep_back);
  held_.erase(0, found_ ? held_.size() : certain.size());
  return certain;
}

std::string StopStrings::finish() {
  return std::exchange(held_, {});
}

}  // namespace tru::backend
