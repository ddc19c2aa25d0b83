#include "http/server.h"

#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "http/session.h"

namespace tru::http {
namespace {

using asio::ip::tcp;
using namespace std::chrono_literals;

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr auto kCheckInterval = 250ms;   // of deadlines, and for clients that left
constexpr auto kAcceptPause = 100ms;     // when no descriptors are left
constexpr std::size_t kTurnedAway = 64;  // at a time, told why; more are just closed

std::string http_date() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char text[64];
  return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc)};
}

// A connection each and their files: many systems give a program 1,024 unless it asks.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

class Server::Impl {
 public:
  Impl(ServerConfig config, Router router)
      : config_(std::move(config)),
        router_(std::move(router)),
        workers_(config_.workers),
        context_{config_,
                 router_,
                 stats_,
                 workers_,
                 ClientPlaces(config_.limits.connections_per_address),
                 false,
                 http_date()},
        io_(1),
        acceptor_(io_),
        check_timer_(io_) {}

  Status bind();
  void run();
  void shutdown(std::chrono::milliseconds grace);

  std::uint16_t port() const { return port_; }
  const ServerStats& stats() const { return stats_; }
  asio::any_io_executor executor() { return io_.get_executor(); }

 private:
  Task<void> accept();
  Task<void> check_often();
  void admit(tcp::socket socket);
  Task<void> host(Session& session, std::optional<Refusal> refusal);
  void forget(Session& session);
  bool end_an_idle_one();
  template <typename Do>
  void each_session(Do action);
  bool wait_until_empty(std::chrono::milliseconds at_most);

  // In this order because sessions, which end with io_, refer to what stands before it.
  ServerConfig config_;
  Router router_;
  ServerStats stats_;
  Workers workers_;
  ServerContext context_;
  asio::io_context io_;
  tcp::acceptor acceptor_;
  asio::steady_timer check_timer_;
  std::uint16_t port_ = 0;
  std::set<Session*> sessions_;
  std::size_t turned_away_ = 0;
  std::thread thread_;

  std::mutex mutex_;
  std::condition_variable empty_;
  bool is_empty_ = false;  // draining, and no session is left
};

Status Server::Impl::bind() {
  boost::system::error_code error;
  tcp::resolver resolver(io_);
  const auto found =
      resolver.resolve(config_.host, std::to_string(config_.port), tcp::resolver::passive, error);
  if (error || found.empty()) {
    return fail(ErrorCode::config_invalid, "HOST is '{}', which is no address of this machine",
                config_.host);
  }
  const tcp::endpoint endpoint = found.begin()->endpoint();
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error == boost::system::errc::address_in_use) {
    return fail(ErrorCode::config_invalid,
                "port {} is in use by another program; choose another PORT", config_.port);
  }
  if (error) {
    return fail(ErrorCode::config_invalid, "cannot listen on HOST '{}', PORT {}: {}", config_.host,
                config_.port, error.message());
  }
  port_ = acceptor_.local_endpoint().port();
  return {};
}

void Server::Impl::run() {
  raise_file_limit();
  asio::co_spawn(io_, accept(), asio::detached);
  asio::co_spawn(io_, check_often(), asio::detached);
  thread_ = std::thread([this] { io_.run(); });
}

Task<void> Server::Impl::accept() {
  asio::steady_timer pause(io_);
  while (acceptor_.is_open()) {
    auto [error, socket] = co_await acceptor_.async_accept(kTuple);
    if (!error) {
      admit(std::move(socket));
    } else if (acceptor_.is_open() && error != boost::system::errc::connection_aborted) {
      // Out of descriptors or memory: those waiting stay in the kernel's queue meanwhile.
      pause.expires_after(kAcceptPause);
      co_await pause.async_wait(kTuple);
    }
  }
}

void Server::Impl::admit(tcp::socket socket) {
  boost::system::error_code error;
  const auto remote = socket.remote_endpoint(error);
  if (error) return;  // gone already
  const auto peer = Address::from(remote.data());
  if (!peer) return;  // not possible with the sockets we listen on
  std::optional<Refusal> refusal;
  const bool counted = !peer->is_loopback() && !is_in(config_.trusted_proxies, *peer);
  auto place = counted ? context_.places.take(*peer) : nullptr;
  if (counted && !place) {
    refusal = refusal::too_many_connections;
  } else if (sessions_.size() - turned_away_ >= config_.limits.connections && !end_an_idle_one()) {
    refusal = refusal::overloaded;
  }
  if (refusal) {
    ++stats_.connections_refused;
    if (turned_away_ >= kTurnedAway) return;
    ++turned_away_;
  }
  ++stats_.connections;
  ++stats_.connections_open;
  auto session = std::make_shared<Session>(Connection(std::move(socket), *peer), context_);
  sessions_.insert(session.get());
  const auto ended = [this, session, place,
                      turned_away = refusal.has_value()](const std::exception_ptr& fault) {
    if (fault && config_.log_fault) config_.log_fault("", "a session ended by an exception");
    if (turned_away) --turned_away_;
    forget(*session);
  };
  asio::co_spawn(io_, host(*session, refusal), ended);
}

Task<void> Server::Impl::host(Session& session, std::optional<Refusal> refusal) {
  if (refusal) {
    co_await session.turn_away(*refusal);
  } else {
    co_await session.run();
  }
}

// Its socket is closed before it no longer counts: who sees a free place finds a free descriptor.
void Server::Impl::forget(Session& session) {
  session.cut();
  sessions_.erase(&session);
  --stats_.connections_open;
  if (!context_.draining || !sessions_.empty()) return;
  std::lock_guard lock(mutex_);
  is_empty_ = true;
  empty_.notify_all();
}

// Makes room for somebody who wants something at the cost of who waits longest for nothing.
bool Server::Impl::end_an_idle_one() {
  Session* longest = nullptr;
  for (Session* session : sessions_) {
    if (!session->idle()) continue;
    if (longest == nullptr || session->idle_since() < longest->idle_since()) longest = session;
  }
  if (longest != nullptr) longest->cut();
  return longest != nullptr;
}

Task<void> Server::Impl::check_often() {
  for (;;) {
    check_timer_.expires_after(kCheckInterval);
    co_await check_timer_.async_wait(kTuple);
    context_.date = http_date();
    const auto now = Connection::Clock::now();
    for (Session* session : sessions_) session->check(now);
  }
}

template <typename Do>
void Server::Impl::each_session(Do action) {
  asio::post(io_, [this, action] {
    for (Session* session : sessions_) action(*session);
  });
}

bool Server::Impl::wait_until_empty(std::chrono::milliseconds at_most) {
  std::unique_lock lock(mutex_);
  return empty_.wait_for(lock, at_most, [this] { return is_empty_; });
}

void Server::Impl::shutdown(std::chrono::milliseconds grace) {
  if (!thread_.joinable()) return;
  asio::post(io_, [this] {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    context_.draining = true;
    for (Session* session : sessions_) {
      if (session->idle()) session->cut();
    }
    if (!sessions_.empty()) return;
    std::lock_guard lock(mutex_);
    is_empty_ = true;
    empty_.notify_all();
  });
  if (!wait_until_empty(grace)) {
    each_session([](Session& session) { session.request_stop(); });
    if (!wait_until_empty(1s)) each_session([](Session& session) { session.cut(); });
    wait_until_empty(1s);
  }
  io_.stop();
  thread_.join();
  workers_.join();
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() {
  shutdown(0ms);
}

Result<std::unique_ptr<Server>> Server::start(ServerConfig config, Router router) {
  auto impl = std::make_unique<Impl>(std::move(config), std::move(router));
  TRU_CHECK(impl->bind());
  impl->run();
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

std::uint16_t Server::port() const {
  return impl_->port();
}

const ServerStats& Server::stats() const {
  return impl_->stats();
}

asio::any_io_executor Server::executor() const {
  return impl_->executor();
}

void Server::shutdown(std::chrono::milliseconds grace) {
  impl_->shutdown(grace);
}

}  // namespace tru::http
