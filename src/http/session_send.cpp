// The sending half of a session: heads, bodies, files and streams.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/beast/http/status.hpp>
#include <iterator>
#include <utility>

#include "http/body_reader.h"
#include "http/session.h"

namespace tru::http {
namespace {

constexpr std::size_t kFilePiece = 256 << 10;

// What every answer says unless its handler says otherwise: it is not stored, not guessed at, and
// in nobody's frame.
constexpr std::pair<std::string_view, std::string_view> kDefaults[] = {
    {"Cache-Control", "no-store"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
};

void append_field(std::string& to, std::string_view name, std::string_view value) {
  to.append(name).append(": ").append(value).append("\r\n");
}

void append_status(std::string& to, int status) {
  const auto reason = boost::beast::http::obsolete_reason(
      boost::beast::http::int_to_status(static_cast<unsigned>(status)));
  fmt::format_to(std::back_inserter(to), "HTTP/1.1 {} ", status);
  to.append(reason.data(), reason.size()).append("\r\n");
}

std::uint64_t length_of(const Response::Body& body) {
  if (const auto* text = std::get_if<std::string>(&body)) return text->size();
  if (const auto* shared = std::get_if<1>(&body)) return (*shared)->size();
  return std::get<FileSlice>(body).length;
}

std::string_view text_of(const Response::Body& body) {
  if (const auto* text = std::get_if<std::string>(&body)) return *text;
  if (const auto* shared = std::get_if<1>(&body)) return **shared;
  return {};
}

}  // namespace

// Writes the head into out_, but for what says how the body is framed and the empty line.
void Session::begin_head(const Exchange* exchange, int status, Headers headers, bool keep_alive) {
  if (exchange != nullptr) {
    for (const auto& [name, value] : exchange->response_headers_) headers.add(name, value);
    headers.set("X-Request-ID", exchange->id());
    context_.config.cors.apply(exchange->head(), headers);
  }
  for (const auto& [name, value] : kDefaults) {
    if (!headers.find(name)) headers.add(name, value);
  }
  out_.clear();
  append_status(out_, status);
  append_field(out_, "Date", context_.date);
  for (const auto& [name, value] : headers) append_field(out_, name, value);
  if (!keep_alive) {
    append_field(out_, "Connection", "close");
  } else if (exchange->head().version < 11) {
    append_field(out_, "Connection", "keep-alive");
  }
}

// `exchange` is null when no request could be read.
Task<bool> Session::send(const Exchange* exchange, Response response, bool keep_alive) {
  if (response.problem) response = render(*response.problem, exchange->id(), exchange);
  begin_head(exchange, response.status, std::move(response.headers), keep_alive);
  const bool no_body = response.status == 204 || response.status == 304;
  if (!no_body) append_field(out_, "Content-Length", fmt::to_string(length_of(response.body)));
  out_ += "\r\n";
  const bool only_head = no_body || (exchange != nullptr && exchange->method() == Verb::head);
  const auto text = only_head ? std::string_view() : text_of(response.body);
  if (!co_await connection_.send(out_, text, limits_.write_timeout)) co_return false;
  if (auto* slice = std::get_if<FileSlice>(&response.body); slice != nullptr && !only_head) {
    co_return co_await send_file(std::move(*slice));
  }
  co_return true;
}

Task<bool> Session::send_file(FileSlice slice) {
  std::string piece(static_cast<std::size_t>(std::min<std::uint64_t>(kFilePiece, slice.length)),
                    '\0');
  while (slice.length > 0) {
    const auto wanted = std::min<std::uint64_t>(piece.size(), slice.length);
    const auto read = [&piece, &slice, wanted] {
      return ::pread(slice.file->fd(), piece.data(), wanted, static_cast<off_t>(slice.offset));
    };
    const ssize_t bytes = co_await result_on(context_.workers, read);
    if (bytes <= 0) co_return false;  // it became shorter: the length was promised, so cut
    const auto count = static_cast<std::size_t>(bytes);
    const auto text = std::string_view(piece).substr(0, count);
    if (!co_await connection_.send(text, {}, limits_.write_timeout)) co_return false;
    slice.offset += count;
    slice.length -= count;
  }
  co_return true;
}

Task<bool> Session::start_stream(const Exchange& exchange, Headers headers) {
  const bool head_only = exchange.method() == Verb::head;
  chunked_ = exchange.head().version >= 11;
  keep_alive_ = chunked_ && exchange.head().keep_alive && !context_.draining &&
                exchange.body_->rest_is_small();
  begin_head(&exchange, 200, std::move(headers), keep_alive_);
  if (chunked_) append_field(out_, "Transfer-Encoding", "chunked");
  out_ += "\r\n";
  stream_works_ = co_await connection_.send(out_, {}, limits_.write_timeout);
  stream_open_ = stream_works_ && !head_only;
  co_return stream_open_;
}

Task<bool> Session::send_stream(std::string_view bytes) {
  if (!stream_open_ || stop_.stop_requested()) co_return false;
  if (bytes.empty()) co_return true;
  out_.clear();
  if (chunked_) fmt::format_to(std::back_inserter(out_), "{:x}\r\n", bytes.size());
  out_.append(bytes);
  if (chunked_) out_ += "\r\n";
  stream_works_ = stream_open_ = co_await connection_.send(out_, {}, limits_.write_timeout);
  co_return stream_works_;
}

Task<void> Session::end_stream() {
  if (std::exchange(stream_open_, false) && chunked_) {
    stream_works_ = co_await connection_.send("0\r\n\r\n", {}, limits_.write_timeout);
  }
}

}  // namespace tru::http
