// multipart/form-data (RFC 7578), taken apart as it streams by: constant memory, no copies of data,
// the same result wherever the input is split. Knows no sockets.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "http/problem.h"

namespace tru::http {

struct MultipartLimits {
  std::size_t parts = 32;
  std::size_t headers = 16;            // of a part
  std::size_t header_bytes = 8 << 10;  // of each
};

struct FormPart {
  std::string name;
  std::optional<std::string> filename;  // without folders, not empty; absent: a text field
  std::string content_type;             // empty: not given
};

// The boundary in a Content-Type field; nothing unless it is multipart/form-data with a valid one.
std::optional<std::string> multipart_boundary(std::string_view content_type);

class MultipartParser {
 public:
  enum class Kind {
    need_more,  // all input is used up
    part,       // a part begins: part() describes it
    data,       // bytes of its content, in `data`
    part_end,   // it is complete
    end,        // the form is complete
  };
  struct Event {
    Kind kind = Kind::need_more;
    std::string_view data;  // valid until the input goes or next() is called again
  };

  explicit MultipartParser(std::string_view boundary, MultipartLimits limits = {});

  // Takes bytes from the front of `input` up to the next event. multipart_malformed or
  // multipart_limits; then the parser is spent. Input after the form's end may only be blank.
  Expected<Event> next(std::string_view& input);

  const FormPart& part() const { return part_; }

 private:
  enum class State {
    boundary,
    boundary_tail,
    padding,
    line_feed,
    closing,
    header,
    content,
    epilogue
  };

  Expected<bool> between_parts(char c);
  Expected<bool> begin_part();
  Expected<bool> header(std::string_view& input);
  Expected<void> take_header(std::string_view line);
  Event content(std::string_view& input);

  const std::string delimiter_;  // "\r\n--boundary"
  const MultipartLimits limits_;
  State state_ = State::boundary;
  std::size_t matched_ = 2;  // bytes of delimiter_ seen; a form begins as if after a line break
  std::size_t parts_ = 0;
  std::size_t headers_ = 0;
  std::string line_;  // a header that is not complete yet
  FormPart part_;
};

}  // namespace tru::http
