#include "api/access.h"

#include "api/errors.h"
#include "http/text.h"

namespace tru::api {
namespace {

// The one key that was sent; nothing when there is none, or more than one.
std::optional<std::string_view> presented_key(const http::RequestHead& head) {
  if (head.count("Authorization") + head.count("X-API-Key") != 1) return std::nullopt;
  if (const auto key = head.header("X-API-Key")) return key;
  constexpr std::string_view kScheme = "Bearer ";
  const std::string_view value = *head.header("Authorization");
  if (!http::same_word(value.substr(0, kScheme.size()), kScheme)) return std::nullopt;
  return http::trim(value.substr(kScheme.size()));
}

}  // namespace

AccessKeys::AccessKeys(std::shared_ptr<const store::KeyRing> ring, bool required)
    : ring_(std::move(ring)), required_(required) {}

std::optional<store::KeyInfo> AccessKeys::key_of(const http::RequestHead& head) const {
  const auto key = presented_key(head);
  return key ? ring_->find(*key) : std::nullopt;
}

std::optional<std::string> AccessKeys::owner_of(const http::RequestHead& head) const {
  if (!required_) return "";
  const auto key = key_of(head);
  return key ? std::optional(key->id) : std::nullopt;
}

http::Guard AccessKeys::guard() const {
  return [keys = *this](http::Exchange& exchange) -> std::optional<http::Problem> {
    if (!keys.required_ || (exchange.route_flags() & kOpen) != 0) return std::nullopt;
    const auto key = keys.key_of(exchange.head());
    if (!key) return http::Problem(refusal::unauthorized);
    exchange.set_user(key->id);
    const bool metrics = (exchange.route_flags() & kMetrics) != 0;
    if (key->allows(store::Scope::ask) || (metrics && key->allows(store::Scope::metrics))) {
      return std::nullopt;
    }
    return http::Problem(refusal::scope_missing);
  };
}

}  // namespace tru::api
