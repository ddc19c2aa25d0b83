// A web server of one function, on loopback, for tests.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/assert.h"

namespace tru::fetch {

// One connection, after the head of its request was read.
class TestConnection {
 public:
  TestConnection(int fd, std::stop_token stop) : fd_(fd), stop_(std::move(stop)) {}

  // False when the client has left.
  bool send(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  void ok(std::string_view body) const {
    send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
    send(body);
  }

  void redirect(const std::string& location, int status = 302) const {
    send("HTTP/1.1 " + std::to_string(status) + " Elsewhere\r\nLocation: " + location +
         "\r\nContent-Length: 0\r\n\r\n");
  }

  // Closes with a reset.
  void reset() const {
    const linger none{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  }

  // Until the client leaves or the server ends.
  void stall() const {
    char byte = 0;
    while (!stop_.stop_requested() && recv(fd_, &byte, 1, 0) > 0) {
    }
  }

  // As read from the client: "GET /path HTTP/1.1", then the headers.
  std::string request;
  std::string path;

 private:
  int fd_;
  std::stop_token stop_;
};

class TestServer {
 public:
  using Handler = std::function<void(const TestConnection&)>;

  explicit TestServer(Handler handler) : handler_(std::move(handler)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    TRU_ASSERT(bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    TRU_ASSERT(listen(listener_, 64) == 0);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::jthread([this](std::stop_token stop) { accept_all(stop); });
  }

  ~TestServer() {
    acceptor_.request_stop();
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    {
      const std::lock_guard lock(mutex_);
      for (const int fd : open_) shutdown(fd, SHUT_RDWR);
    }
    connections_.clear();
    close(listener_);
  }

  int port() const { return port_; }
  int hits() const { return hits_; }
  std::string url(const std::string& path = "/", const std::string& host = "127.0.0.1") const {
    return "http://" + host + ":" + std::to_string(port_) + path;
  }

 private:
  void accept_all(std::stop_token stop) {
    while (!stop.stop_requested()) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      ++hits_;
      const std::lock_guard lock(mutex_);
      open_.push_back(fd);
      connections_.emplace_back([this, fd, stop] { serve(fd, stop); });
    }
  }

  void serve(int fd, std::stop_token stop) {
    TestConnection connection(fd, stop);
    char buffer[4096];
    while (connection.request.find("\r\n\r\n") == std::string::npos) {
      const ssize_t received = recv(fd, buffer, sizeof buffer, 0);
      if (received <= 0) break;
      connection.request.append(buffer, static_cast<std::size_t>(received));
    }
    const std::size_t path = connection.request.find(' ') + 1;
    connection.path = connection.request.substr(path, connection.request.find(' ', path) - path);
    handler_(connection);
    const std::lock_guard lock(mutex_);
    open_.remove(fd);
    close(fd);
  }

  Handler handler_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> hits_ = 0;
  std::mutex mutex_;
  std::list<int> open_;
  std::list<std::jthread> connections_;
  std::jthread acceptor_;
};

}  // namespace tru::fetch
