// What a handler answers: a text, shared text, part of a file, or a problem still to be rendered.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "http/headers.h"
#include "http/problem.h"

namespace tru::http {

// A descriptor open for reading, closed with its last user.
class OpenFile {
 public:
  explicit OpenFile(int fd) : fd_(fd) {}
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

struct FileSlice {
  std::shared_ptr<const OpenFile> file;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

struct Response {
  using Body = std::variant<std::string, std::shared_ptr<const std::string>, FileSlice>;

  int status = 200;
  Headers headers;
  Body body;
  std::optional<Problem> problem;  // set: the rest is made by ServerConfig::render

  Response() = default;
  Response(int code, std::string_view content_type, std::string text) : status(code) {
    headers.set("Content-Type", content_type);
    body = std::move(text);
  }
  // NOLINTBEGIN(google-explicit-constructor): a handler may co_return a problem.
  Response(Problem why) : status(why.status), problem(std::move(why)) {}
  Response(const Refusal& why) : Response(Problem(why)) {}
  Response(tl::unexpected<Problem> why) : Response(std::move(why).value()) {}
  // NOLINTEND(google-explicit-constructor)
};

}  // namespace tru::http
