#include "http/guards.h"

#include <algorithm>
#include <boost/asio/ip/address_v4.hpp>
#include <utility>

#include "http/text.h"

namespace tru::http {
namespace {

std::string_view without_port(std::string_view host) {
  const auto colon = host.rfind(':');
  if (colon == std::string_view::npos || host.ends_with(']')) return host;
  return host.substr(0, colon);
}

bool is_ip_literal(std::string_view name) {
  if (name.starts_with('[')) return true;  // the head's parser has checked what is inside
  boost::system::error_code error;
  asio::ip::make_address_v4(std::string(name), error);
  return !error;
}

bool is_safe(Verb method) {
  return method == Verb::get || method == Verb::head || method == Verb::options;
}

// An origin without its scheme, as Host spells it; empty for "null".
std::string_view authority_of(std::string_view origin) {
  const auto slashes = origin.find("://");
  return slashes == std::string_view::npos ? std::string_view() : origin.substr(slashes + 3);
}

bool contains(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

}  // namespace

Guard host_guard(std::vector<std::string> names) {
  return [names = std::move(names)](Exchange& exchange) -> std::optional<Problem> {
    // Only HTTP/1.0 may lack a Host, which no browser speaks.
    if (exchange.head().host.empty()) return std::nullopt;
    auto name = without_port(exchange.head().host);
    if (name.ends_with('.')) name.remove_suffix(1);
    if (same_word(name, "localhost") || is_ip_literal(name)) return std::nullopt;
    const auto same = [&](const std::string& allowed) { return same_word(allowed, name); };
    if (std::any_of(names.begin(), names.end(), same)) return std::nullopt;
    return refusal::host_not_allowed;
  };
}

Guard origin_guard(std::vector<std::string> origins) {
  return [origins = std::move(origins)](Exchange& exchange) -> std::optional<Problem> {
    const RequestHead& head = exchange.head();
    if (is_safe(head.method)) return std::nullopt;
    if (const auto origin = head.header("Origin")) {
      if (contains(origins, *origin)) return std::nullopt;
      if (!head.host.empty() && same_word(authority_of(*origin), head.host)) return std::nullopt;
      return refusal::origin_not_allowed;
    }
    const auto site = head.header("Sec-Fetch-Site");
    if (!site || *site == "same-origin" || *site == "none") return std::nullopt;
    return refusal::origin_not_allowed;
  };
}

bool Cors::is_preflight(const RequestHead& head) {
  return head.method == Verb::options && head.header("Origin") &&
         head.header("Access-Control-Request-Method");
}

bool Cors::allows(const RequestHead& head) const {
  const auto origin = head.header("Origin");
  return origin && contains(origins_, *origin);
}

Response Cors::preflight(const RequestHead& head, std::string_view allow) const {
  Response response;
  response.status = 204;
  response.headers.add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers");
  if (!allows(head)) return response;
  response.headers.add("Access-Control-Allow-Methods", allow);
  response.headers.add("Access-Control-Max-Age", "600");
  if (const auto names = head.header("Access-Control-Request-Headers")) {
    response.headers.add("Access-Control-Allow-Headers", *names);
  }
  return response;
}

void Cors::apply(const RequestHead& head, Headers& headers) const {
  headers.add("Vary", "Origin");
  if (!allows(head)) return;
  headers.add("Access-Control-Allow-Origin", *head.header("Origin"));
  headers.add("Access-Control-Expose-Headers",
              "X-Request-ID, Retry-After, Warning, Content-Range, ETag, Idempotent-Replayed, "
              "RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset");
}

}  // namespace tru::http
