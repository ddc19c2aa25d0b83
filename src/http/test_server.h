// A server and a plain blocking client for the tests of this folder.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/exchange.h"
#include "http/server.h"
#include "http/text.h"

namespace tru::http::test {

using namespace std::chrono_literals;

struct Reply {
  int status = 0;  // 0: the connection ended before a whole answer
  std::string head;
  std::string body;

  std::string header(std::string_view name) const {
    std::string value;
    split(head, '\n', [&](std::string_view line) {
      const auto colon = line.find(':');
      if (colon == std::string_view::npos || !same_word(line.substr(0, colon), name)) return true;
      if (line.ends_with('\r')) line.remove_suffix(1);
      value = trim(line.substr(colon + 1));
      return false;
    });
    return value;
  }
};

// A TCP client that reads whole answers; every wait ends after `patience`.
class Client {
 public:
  explicit Client(std::uint16_t port, const char* from = nullptr, int receive_buffer = 0) {
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (receive_buffer > 0) {
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    if (from != nullptr) {
      ::inet_pton(AF_INET, from, &address.sin_addr);
      EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    }
    address.sin_port = htons(port);
    ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() { close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  Client(Client&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_) {}

  bool connected() const { return connected_; }

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  void reset() {  // RST instead of FIN
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }
  void end_sending() { ::shutdown(fd_, SHUT_WR); }

  // More bytes into received(); false at the end, a reset or after `patience`.
  bool receive(std::chrono::milliseconds patience = 10s) {
    pollfd state{fd_, POLLIN, 0};
    if (::poll(&state, 1, static_cast<int>(patience.count())) <= 0) return false;
    char bytes[16384];
    const auto count = ::recv(fd_, bytes, sizeof bytes, 0);
    if (count <= 0) return false;
    received_.append(bytes, static_cast<std::size_t>(count));
    return true;
  }

  // True when the server closes within `patience`; what it still sends is dropped.
  bool closes(std::chrono::milliseconds patience = 10s) {
    pollfd state{fd_, POLLIN, 0};
    while (::poll(&state, 1, static_cast<int>(patience.count())) > 0) {
      char bytes[16384];
      if (::recv(fd_, bytes, sizeof bytes, 0) <= 0) return true;
    }
    return false;
  }

  std::string& received() { return received_; }

  bool receive_until(std::string_view text, std::chrono::milliseconds patience = 10s) {
    while (received_.find(text) == std::string::npos) {
      if (!receive(patience)) return false;
    }
    return true;
  }

  // The next answer; of HEAD without a body.
  Reply reply(bool head_only = false) {
    Reply reply;
    if (!receive_until("\r\n\r\n")) return reply;
    const auto end = received_.find("\r\n\r\n") + 4;
    reply.head = received_.substr(0, end);
    received_.erase(0, end);
    const int status = std::atoi(reply.head.c_str() + 9);
    if (status == 100) return this->reply(head_only);
    if (head_only || status == 204 || status == 304) {
      reply.status = status;
    } else if (reply.header("Transfer-Encoding") == "chunked") {
      if (read_chunks(reply.body)) reply.status = status;
    } else {
      const auto length = std::strtoull(reply.header("Content-Length").c_str(), nullptr, 10);
      while (received_.size() < length && receive()) {
      }
      if (received_.size() >= length) reply.status = status;
      reply.body = received_.substr(0, length);
      received_.erase(0, length);
    }
    return reply;
  }

  Reply ask(std::string_view request) {
    send(request);
    return reply();
  }

 private:
  bool read_chunks(std::string& body) {
    for (;;) {
      if (!receive_until("\r\n")) return false;
      const auto line = received_.find("\r\n") + 2;
      const auto size = std::strtoull(received_.c_str(), nullptr, 16);
      while (received_.size() < line + size + 2) {
        if (!receive()) return false;
      }
      body += received_.substr(line, size);
      received_.erase(0, line + size + 2);
      if (size == 0) return true;
    }
  }

  int fd_ = -1;
  bool connected_ = false;
  std::string received_;
};

inline std::string get(std::string_view path, std::string_view more = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(more) +
         "\r\n";
}

inline std::string post(std::string_view path, std::string_view body, std::string_view more = "") {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(more) + "\r\n" + std::string(body);
}

inline Response render_plain(const Problem& problem, const ProblemContext& about) {
  return {problem.status, "application/json",
          "{\"code\":\"" + problem.code + "\",\"id\":\"" + std::string(about.request_id) + "\"}"};
}

// Starts a server on any port, with this folder's problems as small JSON.
inline std::unique_ptr<Server> start(Router router, ServerConfig config = {}) {
  config.port = 0;
  config.render = render_plain;
  auto server = Server::start(std::move(config), std::move(router));
  if (!server) ADD_FAILURE() << server.error().message;
  return std::move(*server);
}

// A handler: a stream of events that has nothing to say until its client leaves.
inline Task<Response> get_silent_events(int&, Exchange& exchange) {
  EventStream events = co_await exchange.start_events();
  Wakeup never;
  co_await events.wait(never);
  co_return EventStream::left();
}

// Waits for something that another thread brings about.
inline bool eventually(const std::function<bool()>& condition,
                       std::chrono::milliseconds at_most = 10s) {
  const auto until = std::chrono::steady_clock::now() + at_most;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    ::usleep(2'000);
  }
  return true;
}

}  // namespace tru::http::test
