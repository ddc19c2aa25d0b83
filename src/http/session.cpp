#include "http/session.h"

#include <fmt/format.h>

#include <exception>
#include <utility>

#include "base/digest.h"
#include "http/body_reader.h"

namespace tru::http {
namespace {

constexpr std::chrono::milliseconds kLinger{3'000};
constexpr std::chrono::milliseconds kLingerTurnedAway{1'000};

double since_ms(Connection::Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Connection::Clock::now() - start).count();
}

Problem come_back(const Refusal& why) {
  Problem problem(why);
  problem.retryable = true;
  problem.retry_after_s = 1;
  return problem;
}

}  // namespace

Session::Session(Connection connection, ServerContext& context)
    : connection_(std::move(connection)), context_(context), limits_(context.config.limits) {}

Task<void> Session::run() {
  for (bool keep = true; keep;) {
    auto head = co_await read_head();
    if (!head) {
      co_await answer_unread(head.error());
      break;
    }
    if (!*head) co_return;
    keep = co_await serve(std::move(**head));
  }
  co_await connection_.linger(kLinger);
}

Task<void> Session::turn_away(const Refusal& why) {
  started_ = Connection::Clock::now();
  const Problem problem = come_back(why);
  co_await answer_unread(problem);
  co_await connection_.linger(kLingerTurnedAway);
}

void Session::check(Connection::Clock::time_point now) {
  switch (connection_.check(now)) {
    case Connection::Finding::overdue:
      ++context_.stats.timeouts;
      break;
    case Connection::Finding::left:
      ++context_.stats.disconnects;
      break;
    case Connection::Finding::nothing:
      break;
  }
}

// Nothing when the client went away, or had nothing more to ask.
Task<Expected<std::optional<RequestHead>>> Session::read_head() {
  HeadScanner scanner(limits_);
  idle_since_ = started_ = Connection::Clock::now();
  for (;;) {
    const auto buffered = connection_.buffered();
    auto length = scanner.scan(buffered);
    if (!length) co_return refuse(std::move(length).error());
    if (*length > 0) {
      auto head = parse_head(scanner.head(buffered, *length));
      connection_.consume(*length);
      started_ = Connection::Clock::now();
      if (!head) co_return refuse(std::move(head).error());
      co_return std::move(*head);
    }
    idle_ = buffered.empty();
    if (idle_ && context_.draining) co_return std::nullopt;
    const auto waited =
        std::chrono::duration_cast<std::chrono::milliseconds>(Connection::Clock::now() - started_);
    const auto within = idle_ ? limits_.idle_timeout : limits_.header_timeout - waited;
    const auto received = co_await connection_.fill(limits_.header_bytes + 2, within);
    if (idle_) started_ = Connection::Clock::now();
    const bool was_idle = std::exchange(idle_, false);
    if (received.outcome == Connection::Outcome::timed_out && !was_idle) {
      co_return refuse(refusal::request_timeout);
    }
    if (received.outcome != Connection::Outcome::ok) co_return std::nullopt;
  }
}

Task<bool> Session::serve(RequestHead head) {
  stop_ = {};
  stream_open_ = stream_works_ = false;
  sent_before_ = connection_.bytes_sent();
  Exchange exchange(*this, std::move(head));
  if (exchange.body_->complete()) connection_.watch(&stop_);
  Response response = co_await respond(exchange);
  connection_.watch(nullptr);

  const int status = response.status;
  const std::string code = response.problem ? response.problem->code : "";
  bool keep = exchange.head().keep_alive && !context_.draining && exchange.body_->rest_is_small();
  if (exchange.streaming_) {
    // A stream that its handler did not finish is cut: the client must not take it for a whole one.
    keep = keep && keep_alive_ && stream_works_ && !stream_open_;
  } else {
    const bool sent = co_await send(&exchange, std::move(response), keep);
    keep = keep && sent;
  }
  ++context_.stats.requests;
  if (exchange.at_end_) exchange.at_end_(exchange.body_->bytes_read());
  log(&exchange, exchange.id(), status, code);
  if (keep) keep = co_await exchange.body_->skip_rest();
  co_return keep;
}

Task<Response> Session::respond(Exchange& exchange) {
  const RequestHead& head = exchange.head();
  if (exchange.proxied()) {
    exchange.place_ = context_.places.take(exchange.client());
    if (!exchange.place_) co_return come_back(refusal::too_many_connections);
  }
  exchange.match_ = context_.router.find(head.method, head.target);
  const RouteMatch& match = exchange.match_;
  if (Cors::is_preflight(head)) co_return context_.config.cors.preflight(head, match.allow);
  for (const Guard& guard : context_.config.guards) {
    if (auto problem = guard(exchange)) co_return std::move(*problem);
  }
  if (match.pattern.empty()) {
    co_return head.method == Verb::unknown ? refusal::not_implemented : refusal::not_found;
  }
  if (match.handler == nullptr) {
    exchange.response_headers().set("Allow", match.allow);
    if (head.method != Verb::options) co_return refusal::method_not_allowed;
    Response response;
    response.status = 204;
    co_return response;
  }
  co_return co_await run_handler(exchange);
}

// What a handler throws is a fault of ours: for the log, never for the client.
Task<Response> Session::run_handler(Exchange& exchange) {
  std::string what = "unknown exception";
  try {
    co_return co_await (*exchange.match_.handler)(exchange);
  } catch (const std::exception& error) {
    what = error.what();
  } catch (...) {
  }
  if (context_.config.log_fault) context_.config.log_fault(exchange.id(), what);
  co_return refusal::internal;
}

Task<void> Session::answer_unread(const Problem& problem) {
  const std::string id = random_hex(16);
  sent_before_ = connection_.bytes_sent();
  Response response = render(problem, id, nullptr);
  response.headers.set("X-Request-ID", id);
  co_await send(nullptr, std::move(response), false);
  ++context_.stats.requests;
  log(nullptr, id, problem.status, problem.code);
}

Response Session::render(const Problem& problem, std::string_view id,
                         const Exchange* exchange) const {
  ProblemContext about{id, {}, {}};
  if (exchange != nullptr) {
    about.path = exchange->head().path();
    about.accept = exchange->head().header("Accept").value_or("");
  }
  Response response = context_.config.render ? context_.config.render(problem, about)
                                             : Response(problem.status, "text/plain; charset=utf-8",
                                                        problem.message + "\n");
  response.status = problem.status;
  response.problem.reset();
  if (problem.retry_after_s) {
    response.headers.set("Retry-After", fmt::to_string(*problem.retry_after_s));
  }
  return response;
}

void Session::log(const Exchange* exchange, std::string_view id, int status,
                  std::string_view code) {
  if (!context_.config.log_access) return;
  const std::string peer = connection_.peer().text();
  std::string client = peer;
  AccessRecord record;
  if (exchange != nullptr) {
    const auto method = boost::beast::http::to_string(exchange->method());
    record.method = {method.data(), method.size()};
    record.route = exchange->route();
    record.flags = exchange->route_flags();
    for (const auto& [name, value] : exchange->match_.params) {
      if (name == "id") record.object = value;
    }
    record.user = exchange->user();
    if (exchange->trace()) record.trace_id = exchange->trace()->trace_id;
    record.bytes_in = exchange->body_->bytes_read();
    client = exchange->client().text();
    if (exchange->proxied()) record.proxy = peer;
  }
  record.request_id = id;
  record.peer = client;
  record.bytes_out = connection_.bytes_sent() - sent_before_;
  record.status = record.bytes_out > 0 ? status : 0;
  record.code = code;
  record.duration_ms = since_ms(started_);
  context_.config.log_access(record);
}

}  // namespace tru::http
