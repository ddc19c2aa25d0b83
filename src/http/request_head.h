// A request's line and header fields, checked and taken apart.
#pragma once

#include <boost/beast/http/fields.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/problem.h"
#include "http/task.h"

namespace tru::http {

// A target taken apart. `segments` is what lies between the slashes, percent-decoded once; one
// trailing slash is dropped. Segments never hold a slash, a backslash, NUL or other control
// characters, broken UTF-8, "." or ".."; an encoded slash cannot make two segments of one.
struct Target {
  std::string path;                                        // "/" and the segments joined by "/"
  std::vector<std::string> segments;                       // none for "/"
  std::vector<std::pair<std::string, std::string>> query;  // decoded ('+' is a space), in order

  // The first value of that name.
  std::optional<std::string_view> find(std::string_view name) const;
};

// Takes an origin-form target ("/a/b?c=d") apart, or refuses it with bad_target.
Expected<Target> parse_target(std::string_view text);

struct RequestHead {
  Verb method = Verb::unknown;
  int version = 11;  // 10 or 11
  Target target;
  std::string host;  // of Host or of an absolute-form target, as sent: name[:port]
  boost::beast::http::fields fields;
  bool keep_alive = true;
  bool expects_continue = false;
  bool chunked = false;
  std::uint64_t content_length = 0;

  const std::string& path() const { return target.path; }
  std::optional<std::string_view> query(std::string_view name) const { return target.find(name); }
  // The first field of that name (any case), without surrounding blanks.
  std::optional<std::string_view> header(std::string_view name) const;
  // How often that field occurs: a key sent twice is ambiguous.
  std::size_t count(std::string_view name) const;
};

// Parses a complete header block, from the request line to the empty line. Stricter than RFC 9112
// asks: whatever two programs could read differently is bad_framing.
Expected<RequestHead> parse_head(std::string_view block);

}  // namespace tru::http
