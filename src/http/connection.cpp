#include "http/connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <utility>
#include <vector>

namespace tru::http {
namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kFirstBuffer = 2 << 10;  // most requests; idle connections are many
constexpr std::size_t kLargeRead = 32 << 10;

}  // namespace

Connection::Connection(asio::ip::tcp::socket socket, const Address& peer)
    : socket_(std::move(socket)), peer_(peer) {
  boost::system::error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.non_blocking(true, ignored);
}

void Connection::consume(std::size_t bytes) {
  begin_ += bytes;
  size_ -= bytes;
  if (size_ == 0) begin_ = 0;
}

Task<Connection::Received> Connection::fill(std::size_t max_bytes,
                                            std::chrono::milliseconds within) {
  if (begin_ > 0) {
    std::copy_n(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_), size_, buffer_.begin());
    begin_ = 0;
  }
  if (size_ == buffer_.size()) {
    buffer_.resize(std::min(max_bytes, std::max(kFirstBuffer, 2 * buffer_.size())));
  }
  const Received received = co_await receive(std::span(buffer_).subspan(size_), within);
  size_ += received.bytes;
  co_return received;
}

Task<Connection::Received> Connection::receive(std::span<char> to,
                                               std::chrono::milliseconds within) {
  if (ended()) co_return Received{Outcome::closed, 0};
  deadline_ = Clock::now() + within;
  timed_out_ = false;
  const auto [error, bytes] =
      co_await socket_.async_read_some(asio::buffer(to.data(), to.size()), kTuple);
  deadline_ = Clock::time_point::max();
  if (!error) co_return Received{Outcome::ok, bytes + receive_present(to.subspan(bytes))};
  co_return Received{timed_out_ ? Outcome::timed_out : Outcome::closed, 0};
}

// Whether nothing more will come. After a read that did not fill its buffer, Asio waits for the
// kernel's next event before it reads again; there is none if the end had come with the last bytes.
bool Connection::ended() {
  char next;
  const auto bytes = ::recv(socket_.native_handle(), &next, 1, MSG_PEEK | MSG_DONTWAIT);
  return bytes == 0 || (bytes < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

// What has arrived already, for large reads: fewer, larger pieces go to the disk.
std::size_t Connection::receive_present(std::span<char> to) {
  std::size_t total = 0;
  while (to.size() >= kLargeRead) {
    boost::system::error_code error;
    const auto bytes = socket_.read_some(asio::buffer(to.data(), to.size()), error);
    if (error) break;  // none there; an end or a fault shows up again in the next receive()
    total += bytes;
    to = to.subspan(bytes);
  }
  return total;
}

Task<bool> Connection::send(std::string_view head, std::string_view body,
                            std::chrono::milliseconds stalled_for) {
  while (!head.empty() || !body.empty()) {
    const std::array parts{asio::buffer(head), asio::buffer(body)};
    deadline_ = Clock::now() + stalled_for;
    const auto [error, bytes] = co_await socket_.async_write_some(parts, kTuple);
    deadline_ = Clock::time_point::max();
    if (error) co_return false;
    bytes_sent_ += bytes;
    const auto of_head = std::min(bytes, head.size());
    head.remove_prefix(of_head);
    body.remove_prefix(bytes - of_head);
  }
  co_return true;
}

Task<void> Connection::linger(std::chrono::milliseconds at_most) {
  boost::system::error_code ignored;
  socket_.shutdown(asio::socket_base::shutdown_send, ignored);
  std::vector<char> scrap(16 << 10);
  const auto until = Clock::now() + at_most;
  for (auto now = Clock::now(); now < until; now = Clock::now()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - now);
    const Received received = co_await receive(scrap, left);
    if (received.outcome != Outcome::ok) break;
  }
}

Connection::Finding Connection::check(Clock::time_point now) {
  if (now >= deadline_) {
    deadline_ = Clock::time_point::max();
    timed_out_ = true;
    boost::system::error_code ignored;
    socket_.cancel(ignored);
    return Finding::overdue;
  }
  if (watcher_ != nullptr && client_left()) {
    // The request of a stop may resume coroutines that end the request.
    std::exchange(watcher_, nullptr)->request_stop();
    return Finding::left;
  }
  return Finding::nothing;
}

// Asks the kernel whether the other side closed or reset, whatever is still unread: requests that
// were sent ahead stay where they are.
bool Connection::client_left() {
  pollfd state{socket_.native_handle(), POLLRDHUP, 0};
  return ::poll(&state, 1, 0) > 0 && (state.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

void Connection::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
}

}  // namespace tru::http
