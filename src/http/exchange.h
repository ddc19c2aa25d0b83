// One request and the way to its answer, as a handler sees it. Lives on the io thread, from the
// request's headers to the end of the answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "base/address.h"
#include "http/event_stream.h"
#include "http/headers.h"
#include "http/problem.h"
#include "http/request_head.h"
#include "http/route_match.h"
#include "http/task.h"
#include "http/trace_context.h"
#include "http/workers.h"

namespace tru::http {

class BodyReader;
class Session;
struct ServerStats;

class Exchange {
 public:
  Exchange(Session& session, RequestHead head);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // The request: method, path, query, header fields.
  const RequestHead& head() const { return head_; }
  Verb method() const { return head_.method; }
  // The part of the path that stood for {name} in the route's pattern, percent-decoded. Asserts
  // that the pattern has it.
  const std::string& param(std::string_view name) const;
  // The matched pattern, such as "/v1/requests/{id}/events"; empty when there is no such route.
  std::string_view route() const { return match_.pattern; }
  // The matched route's flags; 0 when there is no such route, so that a guard can deny by default.
  unsigned route_flags() const { return match_.flags; }

  // X-Request-ID: the client's if it is sane, else 128 random bits in hex.
  const std::string& id() const { return id_; }
  // For a request that repeats an earlier one: the same id, in the answer and in the log.
  void set_id(std::string id) { id_ = std::move(id); }

  // Who asks, by address: never a trusted proxy that says for whom.
  const Address& client() const { return client_; }
  // Whether it came over a trusted proxy, even one that does not say for whom.
  bool proxied() const { return proxied_; }

  // Stops within 1 s when the client leaves, and at the end of a shutdown's grace. A client that
  // only closes its sending side counts as gone (as in nginx). Watched as soon as the whole body
  // was read, or when there is none.
  std::stop_token stop() const;

  // Who asks, as a guard found out: such as the id of a key. Empty: nobody knows.
  const std::string& user() const { return user_; }
  void set_user(std::string user) { user_ = std::move(user); }

  // The caller's trace, if it told of a valid one.
  const std::optional<TraceContext>& trace() const { return trace_; }

  // Called once, when the request is over, with the bytes of its body that came.
  void at_end(std::function<void(std::uint64_t bytes_in)> call) { at_end_ = std::move(call); }

  // Where blocking work of this server runs (http/workers.h).
  Workers& workers() const;

  // What this server has counted so far.
  const ServerStats& stats() const;

  // Fields that are added to the answer whatever it will be: rate limits, warnings, problems too.
  Headers& response_headers() { return response_headers_; }

  // The body's length as announced; nothing for chunked bodies, 0 when there is none.
  std::optional<std::uint64_t> content_length() const;

  // The whole body. 413 body_too_large as soon as it is known to be longer than limit_bytes, 408
  // when it comes too slowly, 400 when its framing is broken.
  Task<Expected<std::string>> read_body(std::uint64_t limit_bytes);

  // The next bytes of the body, up to to.size(); 0 at its end. Errors as read_body. Calls must
  // not overlap.
  Task<Expected<std::size_t>> read_some(std::span<char> to);

  // Sends the head of a text/event-stream answer, with `headers`. The handler goes on to send
  // events and returns what EventStream::finish() gives.
  Task<EventStream> start_events(Headers headers = {});

 private:
  friend class Session;
  friend class EventStream;

  Session& session_;
  RequestHead head_;
  std::string id_;
  bool proxied_;
  Address client_;
  std::shared_ptr<void> place_;  // of the client, while this lasts
  RouteMatch match_;
  std::string user_;
  std::optional<TraceContext> trace_;
  std::function<void(std::uint64_t)> at_end_;
  std::unique_ptr<BodyReader> body_;
  Headers response_headers_;
  bool streaming_ = false;  // start_events() was called
};

}  // namespace tru::http
