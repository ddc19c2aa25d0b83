#include "http/body_reader.h"

#include <algorithm>
#include <array>
#include <utility>

#include "http/server.h"

namespace tru::http {
namespace {

constexpr std::size_t kMaxExtra = 4 << 10;  // of a chunk's extension, or of all trailers
constexpr std::uint64_t kSmallRest = 64 << 10;
constexpr std::size_t kFramingBuffer = 16 << 10;  // read ahead of chunks

tl::unexpected<Problem> broken() {
  return refuse({refusal::bad_framing, "the body's chunks are malformed"});
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Expected<std::uint64_t> ChunkDecoder::next(std::string_view& input) {
  while (!ended()) {
    if (state_ == State::content) {
      if (left_ > 0) return left_;
      state_ = State::data_cr;
    }
    if (input.empty()) return 0;
    const char c = input.front();
    input.remove_prefix(1);
    if (auto status = step(c); !status) return refuse(std::move(status).error());
  }
  return 0;
}

Expected<void> ChunkDecoder::step(char c) {
  switch (state_) {
    case State::size:
      if (hex_digit(c) >= 0) return size_digit(c);
      if (digits_ == 0 || (c != '\r' && c != ';')) return broken();
      extra_ = 0;
      state_ = c == ';' ? State::extension : State::size_lf;
      return {};
    case State::extension:
      if (++extra_ > kMaxExtra || (static_cast<unsigned char>(c) < 0x20 && c != '\r')) {
        return broken();
      }
      if (c == '\r') state_ = State::size_lf;
      return {};
    case State::size_lf:
      if (c != '\n') return broken();
      digits_ = 0;
      state_ = left_ > 0 ? State::content : State::trailer;
      return {};
    case State::data_cr:
      if (c != '\r') return broken();
      state_ = State::data_lf;
      return {};
    case State::data_lf:
      if (c != '\n') return broken();
      state_ = State::size;
      return {};
    case State::trailer:
      return trailer(c);
    default:
      return {};
  }
}

Expected<void> ChunkDecoder::size_digit(char c) {
  if (++digits_ > 15) return broken();
  left_ = left_ << 4 | static_cast<unsigned>(hex_digit(c));
  return {};
}

// Trailers are checked as lines and dropped: as fields they could contradict what was decided.
Expected<void> ChunkDecoder::trailer(char c) {
  if (++extra_ > kMaxExtra) return broken();
  if (after_cr_ != (c == '\n') ||
      (static_cast<unsigned char>(c) < 0x20 && c != '\r' && c != '\n')) {
    return broken();
  }
  after_cr_ = c == '\r';
  if (c == '\n') {
    if (line_ == 0) state_ = State::ended;
    line_ = 0;
  } else if (c != '\r') {
    ++line_;
  }
  return {};
}

BodyReader::BodyReader(Connection& connection, const RequestHead& head, const Limits& limits)
    : connection_(connection),
      limits_(limits),
      chunked_(head.chunked),
      awaits_continue_(head.expects_continue),
      left_(head.content_length),
      window_left_(limits.body_grace) {}

Task<Expected<std::size_t>> BodyReader::read_some(std::span<char> to) {
  if (complete() || to.empty()) co_return 0;
  if (std::exchange(awaits_continue_, false) && connection_.buffered().empty()) {
    // Should this fail, so does the read.
    co_await connection_.send("HTTP/1.1 100 Continue\r\n\r\n", {}, limits_.write_timeout);
  }
  auto read = chunked_ ? read_chunked(to) : read_sized(to);
  auto bytes = co_await std::move(read);
  if (bytes) bytes_read_ += *bytes;
  co_return bytes;
}

Task<Expected<std::size_t>> BodyReader::read_sized(std::span<char> to) {
  to = to.first(static_cast<std::size_t>(std::min<std::uint64_t>(left_, to.size())));
  auto bytes = co_await receive(to);
  if (bytes) left_ -= *bytes;
  co_return bytes;
}

Task<Expected<std::size_t>> BodyReader::read_chunked(std::span<char> to) {
  for (;;) {
    auto input = connection_.buffered();
    const auto before = input.size();
    auto content = chunks_.next(input);
    connection_.consume(before - input.size());
    if (!content) co_return refuse(std::move(content).error());
    if (chunks_.ended()) co_return 0;
    if (*content > 0) {
      to = to.first(static_cast<std::size_t>(std::min<std::uint64_t>(*content, to.size())));
      auto bytes = co_await receive(to);
      if (bytes) chunks_.take(*bytes);
      co_return bytes;
    }
    auto filled = co_await receive({});
    if (!filled) co_return filled;
  }
}

// What is buffered, else the next bytes from the client, straight into `to` or, if that is empty,
// into the buffer. Only the time that we wait counts against the client.
Task<Expected<std::size_t>> BodyReader::receive(std::span<char> to) {
  const auto buffered = connection_.buffered();
  if (!to.empty() && !buffered.empty()) {
    const auto bytes = std::min(to.size(), buffered.size());
    std::copy_n(buffered.begin(), bytes, to.begin());
    connection_.consume(bytes);
    co_return bytes;
  }
  const auto start = Connection::Clock::now();
  const auto within = std::max(window_left_, std::chrono::milliseconds(1));
  auto operation =
      to.empty() ? connection_.fill(kFramingBuffer, within) : connection_.receive(to, within);
  const auto received = co_await std::move(operation);
  if (received.outcome == Connection::Outcome::timed_out) {
    co_return refuse(refusal::upload_too_slow);
  }
  if (received.outcome == Connection::Outcome::closed) {
    co_return refuse({refusal::bad_framing, "the body ended early"});
  }
  window_left_ -= std::chrono::ceil<std::chrono::milliseconds>(Connection::Clock::now() - start);
  window_bytes_ += received.bytes;
  const auto window_s = std::chrono::duration<double>(limits_.body_window).count();
  if (static_cast<double>(window_bytes_) >=
      window_s * static_cast<double>(limits_.body_bytes_per_s)) {
    window_left_ = limits_.body_window;
    window_bytes_ = 0;
  }
  co_return received.bytes;
}

bool BodyReader::rest_is_small() const {
  return complete() || (!chunked_ && !awaits_continue_ && left_ <= kSmallRest);
}

Task<bool> BodyReader::skip_rest() {
  std::array<char, 4096> scrap;
  while (!complete()) {
    const auto bytes = co_await read_some(scrap);
    if (!bytes) co_return false;
  }
  co_return true;
}

}  // namespace tru::http
