// A server-sent event stream, read (WHATWG HTML, section 9.2.6).
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tru::backend {

class SseReader {
 public:
  // Hears the data of each event that has some. An error ends the reading.
  using OnData = std::function<Status(const std::string& data)>;

  explicit SseReader(OnData on_data) : on_data_(std::move(on_data)) {}

  // The next bytes of the stream. Errors: backend_protocol for an event of more than 4 MiB or a
  // byte that text does not hold, and those of OnData.
  Status push(std::string_view bytes);

 private:
  Status end_line();

  OnData on_data_;
  std::string line_;
  std::string data_;
  bool after_cr_ = false;
};

}  // namespace tru::backend
