// A request's body without its framing, read on demand: sized or chunked, with the least rate.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "http/connection.h"
#include "http/problem.h"
#include "http/request_head.h"
#include "http/task.h"

namespace tru::http {

struct Limits;

// Takes chunked framing (RFC 9112, section 7.1) apart, wherever it is split.
class ChunkDecoder {
 public:
  // Takes framing from the front of `input` until content, the end, or no input is left; the
  // content bytes that come next in the stream, 0 if none do (yet).
  Expected<std::uint64_t> next(std::string_view& input);

  void take(std::uint64_t content_bytes) { left_ -= content_bytes; }
  bool ended() const { return state_ == State::ended; }

 private:
  enum class State { size, extension, size_lf, content, data_cr, data_lf, trailer, ended };

  Expected<void> step(char c);
  Expected<void> size_digit(char c);
  Expected<void> trailer(char c);

  State state_ = State::size;
  std::uint64_t left_ = 0;  // of this chunk
  std::size_t digits_ = 0;
  std::size_t extra_ = 0;  // bytes of this extension, or of all trailers
  std::size_t line_ = 0;   // bytes of this trailer line
  bool after_cr_ = false;  // within the trailers
};

class BodyReader {
 public:
  // Both outlive it.
  BodyReader(Connection& connection, const RequestHead& head, const Limits& limits);

  Task<Expected<std::size_t>> read_some(std::span<char> to);

  bool complete() const { return chunked_ ? chunks_.ended() : left_ == 0; }
  std::uint64_t bytes_read() const { return bytes_read_; }
  // True when the client waits for our 100 before it sends.
  bool awaits_continue() const { return awaits_continue_; }
  // True when skip_rest() is worth the while, to keep the connection.
  bool rest_is_small() const;
  // Reads away what a handler left; false when the connection cannot go on.
  Task<bool> skip_rest();

 private:
  Task<Expected<std::size_t>> read_sized(std::span<char> to);
  Task<Expected<std::size_t>> read_chunked(std::span<char> to);
  Task<Expected<std::size_t>> receive(std::span<char> to);

  Connection& connection_;
  const Limits& limits_;
  const bool chunked_;
  bool awaits_continue_;
  std::uint64_t left_;  // of a sized body
  ChunkDecoder chunks_;
  std::uint64_t bytes_read_ = 0;
  std::chrono::milliseconds window_left_;  // time we wait for the rest of window_bytes_
  std::uint64_t window_bytes_ = 0;         // received in this window
};

}  // namespace tru::http
