#include "http/exchange.h"

#include <algorithm>

#include "base/assert.h"
#include "base/digest.h"
#include "http/body_reader.h"
#include "http/session.h"

namespace tru::http {
namespace {

constexpr std::size_t kMaxId = 64;

bool is_sane_id(std::string_view id) {
  const auto allowed = [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.';
  };
  return !id.empty() && id.size() <= kMaxId && std::all_of(id.begin(), id.end(), allowed);
}

std::string request_id(const RequestHead& head) {
  const auto given = head.header("X-Request-ID");
  return given && is_sane_id(*given) ? std::string(*given) : random_hex(16);
}

std::optional<TraceContext> trace_of(const RequestHead& head) {
  if (head.count("traceparent") != 1) return std::nullopt;
  return parse_traceparent(*head.header("traceparent"));
}

}  // namespace

Exchange::Exchange(Session& session, RequestHead head)
    : session_(session),
      head_(std::move(head)),
      id_(request_id(head_)),
      proxied_(is_in(session.context_.config.trusted_proxies, session.connection_.peer())),
      client_(
          client_of(head_, session.connection_.peer(), session.context_.config.trusted_proxies)),
      trace_(trace_of(head_)),
      body_(std::make_unique<BodyReader>(session.connection_, head_, session.limits_)) {}

Exchange::~Exchange() = default;

const std::string& Exchange::param(std::string_view name) const {
  const auto& params = match_.params;
  const auto found =
      std::find_if(params.begin(), params.end(), [&](auto& param) { return param.first == name; });
  TRU_ASSERT(found != params.end());
  return found->second;
}

std::stop_token Exchange::stop() const {
  return session_.stop_.get_token();
}

Workers& Exchange::workers() const {
  return session_.context_.workers;
}

const ServerStats& Exchange::stats() const {
  return session_.context_.stats;
}

std::optional<std::uint64_t> Exchange::content_length() const {
  if (head_.chunked) return std::nullopt;
  return head_.content_length;
}

Task<Expected<std::string>> Exchange::read_body(std::uint64_t limit_bytes) {
  constexpr std::size_t kStep = 64 << 10;
  if (head_.content_length > limit_bytes) co_return refuse(refusal::body_too_large);
  std::string body;
  for (;;) {
    // A promised length is not trusted with memory before its bytes are here.
    const auto before = body.size();
    body.resize(before + kStep);
    const auto bytes = co_await read_some(std::span(body).subspan(before));
    if (!bytes) co_return refuse(bytes.error());
    body.resize(before + *bytes);
    if (*bytes == 0) co_return body;
    if (body.size() > limit_bytes) co_return refuse(refusal::body_too_large);
  }
}

Task<Expected<std::size_t>> Exchange::read_some(std::span<char> to) {
  auto bytes = co_await body_->read_some(to);
  if (body_->complete()) session_.connection_.watch(&session_.stop_);
  co_return bytes;
}

Task<EventStream> Exchange::start_events(Headers headers) {
  TRU_ASSERT(!streaming_);
  streaming_ = true;
  headers.set("Content-Type", "text/event-stream; charset=utf-8");
  headers.set("Cache-Control", "no-cache");
  headers.set("X-Accel-Buffering", "no");
  co_await session_.start_stream(*this, std::move(headers));
  co_return EventStream(*this);
}

}  // namespace tru::http
