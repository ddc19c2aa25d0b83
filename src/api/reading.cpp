#include "api/reading.h"

#include <algorithm>

namespace tru::api {

void warn_of(const Names& unknown, http::Exchange& exchange) {
  constexpr std::size_t kMostNames = 8, kMostBytes = 64;
  if (unknown.empty()) return;
  std::string list;
  for (std::size_t i = 0; i < std::min(unknown.size(), kMostNames); ++i) {
    std::string name = unknown[i].substr(0, kMostBytes);
    // What a quoted string of a header cannot hold.
    std::replace_if(
        name.begin(), name.end(),
        [](unsigned char c) { return c < 0x20 || c > 0x7e || c == '"' || c == '\\'; }, '?');
    list += (list.empty() ? "" : ", ") + name;
  }
  if (unknown.size() > kMostNames) list += ", ...";
  exchange.response_headers().add("Warning", "299 - \"unknown fields are ignored: " + list + "\"");
}

bool wants_events(const http::RequestHead& head) {
  const auto accept = head.header("Accept");
  return accept && accept->find("text/event-stream") != std::string_view::npos;
}

}  // namespace tru::api
