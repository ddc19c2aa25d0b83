#include "api/repeating.h"

#include <algorithm>

#include "api/errors.h"

namespace tru::api {

bool has_idempotency_key(const http::RequestHead& head) {
  return head.count(kIdempotencyKey) > 0;
}

http::Expected<std::string> idempotency_key(const http::RequestHead& head) {
  if (!has_idempotency_key(head)) return std::string();
  std::string_view key = *head.header(kIdempotencyKey);
  // The draft of the standard has a quoted text, most clients send it bare: both are the same key.
  if (key.size() > 1 && key.starts_with('"') && key.ends_with('"')) {
    key = key.substr(1, key.size() - 2);
  }
  const auto visible = [](unsigned char c) { return c > 0x20 && c < 0x7f; };
  if (head.count(kIdempotencyKey) > 1 || key.empty() || key.size() > kMaxIdempotencyKey ||
      !std::all_of(key.begin(), key.end(), visible)) {
    return http::refuse(problem(refusal::field_invalid, std::string(kIdempotencyKey),
                                "{} must be one text of 1 to {} visible ASCII characters",
                                kIdempotencyKey, kMaxIdempotencyKey));
  }
  return std::string(key);
}

// With its length, so that no two lists of parts look the same.
void Fingerprint::add(std::string_view part) {
  digest_.update(fmt::format("{}:", part.size()));
  digest_.update(part);
}

std::string fingerprint_of(const http::Exchange& exchange, std::string_view body) {
  if (!has_idempotency_key(exchange.head())) return "";
  Fingerprint fingerprint(exchange);
  fingerprint.add(body);
  return std::move(fingerprint).hex();
}

http::Expected<void> check_welcome(Service& service, const http::Exchange& exchange) {
  const auto key = idempotency_key(exchange.head());
  if (!key) return http::refuse(key.error());
  if (!key->empty() && service.queue.find_by_key(*key, exchange.user())) return {};
  return service.check_ready();
}

http::Expected<std::shared_ptr<jobs::Job>> find_repeated(const Service& service,
                                                         http::Exchange& exchange,
                                                         const std::string& key,
                                                         const std::string& fingerprint) {
  std::shared_ptr<jobs::Job> job;
  if (!key.empty()) job = service.queue.find_by_key(key, exchange.user());
  if (!job) return nullptr;
  const auto failure = job->events().failure();
  if (failure && is_retryable(problem_of(*failure).status)) return nullptr;
  if (job->fingerprint() != fingerprint) return http::refuse(refusal::idempotency_mismatch);
  exchange.set_id(job->id());
  exchange.response_headers().set("Idempotent-Replayed", "true");
  return job;
}

}  // namespace tru::api
