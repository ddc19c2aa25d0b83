#include "http/head_scanner.h"

#include <algorithm>

#include "http/server.h"

namespace tru::http {
namespace {

bool is_version(std::string_view text) {  // HTTP/d.d
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return text.size() == 8 && text.starts_with("HTTP/") && digit(text[5]) && text[6] == '.' &&
         digit(text[7]);
}

Expected<void> check_request_line(std::string_view line) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return refuse(refusal::bad_framing);
  const auto version = line.substr(last + 1);
  if (!is_version(version)) return refuse(refusal::bad_framing);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return refuse(refusal::http_version);
  return {};
}

}  // namespace

Expected<std::size_t> HeadScanner::scan(std::string_view buffer) {
  for (; next_ < buffer.size(); ++next_) {
    const auto c = static_cast<unsigned char>(buffer[next_]);
    const bool after_cr = next_ > line_ && buffer[next_ - 1] == '\r';
    if (c == '\n' && after_cr) {
      const auto line = buffer.substr(line_, next_ - 1 - line_);
      line_ = next_ + 1;
      if (line.empty() && lines_ == 0 && start_ == 0) {
        start_ = line_;
        continue;
      }
      if (line.empty() && lines_ > 0) return ++next_;
      if (auto taken = take_line(line); !taken) return refuse(std::move(taken).error());
    } else if (after_cr || (c < 0x20 && c != '\r') || c == 0x7f) {
      // Among them tabs, which are legal before a value, and line breaks of one byte: two programs
      // can see different requests in them.
      return refuse(refusal::bad_framing);
    }
    if (lines_ == 0 && next_ - line_ > limits_->target_bytes + 32) {
      return refuse(refusal::uri_too_long);
    }
    if (next_ - start_ >= limits_->header_bytes) return refuse(refusal::headers_too_large);
  }
  return 0;
}

Expected<void> HeadScanner::take_line(std::string_view line) {
  if (lines_++ == 0) return check_request_line(line);
  if (lines_ > limits_->header_fields + 1) return refuse(refusal::headers_too_large);
  // A line that goes on with the field before it: obsolete, and read differently by others.
  if (line.front() == ' ') return refuse(refusal::bad_framing);
  return {};
}

}  // namespace tru::http
