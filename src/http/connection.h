// A client's socket with the bytes read ahead, and a deadline beside every read and write. One
// operation at a time; deadlines are looked at by check(), which the server calls several times a
// second, so that a request costs no timers.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/address.h"
#include "http/task.h"

namespace tru::http {

class Connection {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Outcome { ok, closed, timed_out };
  struct Received {
    Outcome outcome = Outcome::ok;
    std::size_t bytes = 0;  // above 0 if ok
  };

  Connection(asio::ip::tcp::socket socket, const Address& peer);

  const Address& peer() const { return peer_; }
  std::string_view buffered() const { return std::string_view(buffer_).substr(begin_, size_); }
  void consume(std::size_t bytes);

  // Reads more behind buffered(), of which at most max_bytes are kept. Not when it is full.
  Task<Received> fill(std::size_t max_bytes, std::chrono::milliseconds within);

  // Reads straight into `to`, past the buffer, which must be empty.
  Task<Received> receive(std::span<char> to, std::chrono::milliseconds within);

  // Sends all of it; false when the client is gone or took nothing for `stalled_for`.
  Task<bool> send(std::string_view head, std::string_view body,
                  std::chrono::milliseconds stalled_for);

  // Ends our side, then reads what the client still sends so that it can read our last answer
  // instead of a reset, for at most `at_most`.
  Task<void> linger(std::chrono::milliseconds at_most);

  // Requests a stop when the client closes; null: nobody cares.
  void watch(std::stop_source* stop) { watcher_ = stop; }

  // Cuts an operation that is overdue and tells the watcher of a client that left. True when it
  // did either.
  enum class Finding { nothing, overdue, left };
  Finding check(Clock::time_point now);

  // Ends the operation in progress, and every later one at once.
  void close();

  std::uint64_t bytes_sent() const { return bytes_sent_; }

 private:
  std::size_t receive_present(std::span<char> to);
  bool client_left();
  bool ended();

  asio::ip::tcp::socket socket_;
  const Address peer_;
  std::string buffer_;
  std::size_t begin_ = 0;
  std::size_t size_ = 0;  // of what is buffered, from begin_ on
  Clock::time_point deadline_ = Clock::time_point::max();
  bool timed_out_ = false;
  std::stop_source* watcher_ = nullptr;
  std::uint64_t bytes_sent_ = 0;
};

}  // namespace tru::http
