// The servers that share the work: who is there, who is busy, who is given a rest.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "backend/backend.h"
#include "backend/remote/http_client.h"
#include "backend/remote/remote_config.h"
#include "backend/remote/server_traits.h"

namespace tru::backend {

class ServerPool {
 public:
  class Lease;

  // Probes every server; waits up to config.start_wait for the first. Then looks after them on a
  // thread of its own. Errors: config_invalid (an address), backend_*, cancelled.
  static Result<std::unique_ptr<ServerPool>> open(const RemoteConfig& config, std::stop_token stop);

  // The least busy server that is well, rather one that is not in `tried`. Nothing when all are
  // away.
  std::optional<Lease> take(const std::vector<int>& tried);

  // Those of a server that is well, or was last.
  ServerTraits traits() const;
  // Requests that all servers work on at the same time, those that are still away too.
  int slots() const;
  std::vector<ServerStatus> status() const;

 private:
  using Clock = std::chrono::steady_clock;
  enum class Outcome { unknown, good, bad };

  struct Server {
    Server(int n, HttpClient c) : number(n), client(std::move(c)) {}
    const int number;  // from 1, in the order of the setting
    const HttpClient client;
    std::optional<ServerTraits> traits;  // once it was probed
    int running = 0;
    int failures = 0;             // in a row
    Clock::time_point resting{};  // until then
  };

  explicit ServerPool(const RemoteConfig& config) : config_(config) {}

  bool probe(Server& server, std::stop_token stop, Error& error);
  void look_after(std::stop_token stop);
  void finished(Server& server, Outcome outcome);

  const RemoteConfig config_;
  mutable std::mutex mutex_;
  std::deque<Server> servers_;  // all but the constants under mutex_
  std::jthread keeper_;         // last: stops first
};

// One request's place at a server.
class ServerPool::Lease {
 public:
  Lease(Lease&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)),
        server_(other.server_),
        traits_(std::move(other.traits_)) {}
  Lease& operator=(Lease&&) = delete;
  ~Lease() {
    if (pool_ != nullptr) pool_->finished(*server_, outcome_);
  }

  const HttpClient& client() const { return server_->client; }
  const ServerTraits& traits() const { return traits_; }
  int number() const { return server_->number; }
  // It answered.
  void succeeded() { outcome_ = Outcome::good; }
  // It did not, by its own fault; after three in a row it gets a rest.
  void failed() { outcome_ = Outcome::bad; }

 private:
  friend class ServerPool;
  Lease(ServerPool& pool, Server& server)
      : pool_(&pool), server_(&server), traits_(*server.traits) {}

  ServerPool* pool_;
  Server* server_;
  ServerTraits traits_;
  Outcome outcome_ = Outcome::unknown;
};

}  // namespace tru::backend
