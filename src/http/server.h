// The listener: binds, accepts, and runs a session for each connection on one io thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "http/guards.h"
#include "http/response.h"
#include "http/router.h"

namespace tru::http {

struct Limits {
  std::size_t target_bytes = 8 << 10;
  std::size_t header_bytes = 16 << 10;  // request line and fields together
  std::size_t header_fields = 100;
  std::chrono::milliseconds header_timeout{10'000};  // from a request's first byte
  std::chrono::milliseconds idle_timeout{60'000};    // between requests
  std::chrono::milliseconds write_timeout{30'000};   // without any progress
  std::chrono::milliseconds body_grace{60'000};      // before the least rate counts
  std::chrono::milliseconds body_window{30'000};     // over which it counts
  std::size_t body_bytes_per_s = 16 << 10;           // the least rate while we are reading
  std::chrono::milliseconds heartbeat{15'000};       // of event streams
  std::size_t connections = 1024;
  // Loopback is exempt. Trusted proxies are too: behind them each client's requests in flight
  // count.
  std::size_t connections_per_address = 64;
};

// One for each request, when its answer is sent or given up.
struct AccessRecord {
  std::string_view method;
  std::string_view route;     // the pattern; empty when there is none
  unsigned flags = 0;         // of the route
  std::string_view object;    // what stood for {id} in the pattern
  std::string_view user;      // Exchange::user()
  std::string_view trace_id;  // the caller's; empty: none
  std::string_view request_id;
  std::string_view peer;                      // the client's address, as Exchange::client()
  std::string_view proxy;                     // over which it came; empty: none
  int status = 0;                             // 0: the client left before there was an answer
  std::string_view code;                      // of the problem; empty: none
  std::uint64_t bytes_in = 0, bytes_out = 0;  // bodies
  double duration_ms = 0;                     // from the request's head to the answer's end
};

// What a problem's body may depend on.
struct ProblemContext {
  std::string_view request_id;
  std::string_view path;  // empty when the request could not be parsed that far
  std::string_view accept;
};

struct ServerConfig {
  std::string host = "127.0.0.1";  // an IPv4 or IPv6 address, or localhost
  std::uint16_t port = 8000;       // 0: any
  Limits limits;
  std::vector<Network> trusted_proxies;  // whose X-Forwarded-For is believed
  std::size_t workers = 4;               // threads of Exchange::workers()
  std::vector<Guard> guards;
  Cors cors;
  // Makes the answer's body and Content-Type of a problem. Never blocks.
  std::function<Response(const Problem&, const ProblemContext&)> render;
  std::function<void(const AccessRecord&)> log_access;
  // A handler threw: a fault of ours, answered with 500. For the log only.
  std::function<void(std::string_view request_id, std::string_view what)> log_fault;
};

// Counts since the start; any thread may read them.
struct ServerStats {
  std::atomic<std::uint64_t> connections{0};          // accepted
  std::atomic<std::uint64_t> connections_open{0};     // now
  std::atomic<std::uint64_t> connections_refused{0};  // over a limit
  std::atomic<std::uint64_t> requests{0};             // answered
  std::atomic<std::uint64_t> timeouts{0};             // connections cut for being slow
  std::atomic<std::uint64_t> disconnects{0};          // clients that left before the answer
};

class Server {
 public:
  // Binds and starts accepting; handlers run on the server's own thread from now on.
  // config_invalid names the address when it cannot be bound.
  static Result<std::unique_ptr<Server>> start(ServerConfig config, Router router);

  ~Server();  // as shutdown(0)
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::uint16_t port() const;
  const ServerStats& stats() const;

  // For Wakeups and timers that belong to no exchange.
  asio::any_io_executor executor() const;

  // Stops accepting and closes idle connections at once; requests in flight may end until `grace`
  // is over, then their stop tokens fire and their connections are cut. Returns when all threads
  // are joined. Not from the io thread.
  void shutdown(std::chrono::milliseconds grace);

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tru::http
