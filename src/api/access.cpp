#include "api/access.h"

#include "api/errors.h"
#include "base/digest.h"
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

AccessKeys::AccessKeys(const std::vector<std::string>& keys, bool required) : required_(required) {
  for (const std::string& key : keys) digests_.push_back(sha256_hex(key));
}

std::optional<std::string> AccessKeys::owner_of(const http::RequestHead& head) const {
  if (!required_) return "";
  const auto key = presented_key(head);
  if (!key) return std::nullopt;
  const std::string digest = sha256_hex(*key);
  std::optional<std::string> owner;
  for (const std::string& known : digests_) {
    if (equal_in_constant_time(digest, known)) owner = known.substr(0, 16);
  }
  return owner;
}

http::Guard AccessKeys::guard() const {
  return [keys = *this](http::Exchange& exchange) -> std::optional<http::Problem> {
    if ((exchange.route_flags() & kOpen) != 0 || keys.owner_of(exchange.head())) {
      return std::nullopt;
    }
    return http::Problem(refusal::unauthorized);
  };
}

}  // namespace tru::api
