// Requests that are sent again: the same Idempotency-Key of the same owner is the same job.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "api/service.h"
#include "base/digest.h"

namespace tru::api {

inline constexpr std::string_view kIdempotencyKey = "Idempotency-Key";
inline constexpr std::size_t kMaxIdempotencyKey = 255;  // bytes

bool has_idempotency_key(const http::RequestHead& head);

// The request's key, without the quotes that it may have; empty when there is none. field_invalid.
http::Expected<std::string> idempotency_key(const http::RequestHead& head);

// What a key is bound to: the route and what is asked of it, part by part.
class Fingerprint {
 public:
  explicit Fingerprint(const http::Exchange& exchange) { add(exchange.route()); }

  void add(std::string_view part);
  std::string hex() && { return std::move(digest_).hex(); }

 private:
  Digest digest_;
};

// That of a request whose body says it all; empty when it has no key. Any thread.
std::string fingerprint_of(const http::Exchange& exchange, std::string_view body);

// Whether a question would be taken, known before its body is read: as Service::check_ready(), but
// one that was asked already needs no room. field_invalid for its key.
http::Expected<void> check_welcome(Service& service, const http::Exchange& exchange);

// The job that was made for this request before; the answer will have its id. Null when there is
// none, or it failed in a way that may be over by now. idempotency_mismatch.
http::Expected<std::shared_ptr<jobs::Job>> find_repeated(const Service& service,
                                                         http::Exchange& exchange,
                                                         const std::string& key,
                                                         const std::string& fingerprint);

}  // namespace tru::api
