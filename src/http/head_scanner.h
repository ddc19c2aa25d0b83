// Finds the end of a request's head while it arrives, and refuses at the first byte that cannot be
// part of one: a client that speaks something else gets its answer at once, not at the timeout.
#pragma once

#include <cstddef>
#include <string_view>

#include "http/problem.h"

namespace tru::http {

struct Limits;

class HeadScanner {
 public:
  explicit HeadScanner(const Limits& limits) : limits_(&limits) {}

  // `buffer` holds all bytes since the last head and only grows between calls. Returns the bytes
  // that the head takes of it, 0 as long as it is not complete.
  Expected<std::size_t> scan(std::string_view buffer);

  // The head itself, in a buffer for which scan() returned `length`.
  std::string_view head(std::string_view buffer, std::size_t length) const {
    return buffer.substr(start_, length - start_);
  }

 private:
  Expected<void> take_line(std::string_view line);

  const Limits* limits_;
  std::size_t start_ = 0;  // after an empty line that some clients send after a body
  std::size_t line_ = 0;   // where the present line begins
  std::size_t next_ = 0;   // the first byte not looked at yet
  std::size_t lines_ = 0;
};

}  // namespace tru::http
