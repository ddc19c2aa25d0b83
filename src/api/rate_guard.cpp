#include "api/rate_guard.h"

#include "api/errors.h"

namespace tru::api {

http::Guard rate_guard(std::shared_ptr<http::RateLimiter> limiter, AccessKeys keys) {
  return [limiter = std::move(limiter),
          keys = std::move(keys)](http::Exchange& exchange) -> std::optional<http::Problem> {
    if ((exchange.route_flags() & kOpen) != 0) return std::nullopt;
    const std::string owner = keys.owner_of(exchange.head()).value_or("");
    const auto verdict =
        limiter->take(owner.empty() ? http::rate_limit_name(exchange.peer()) : "key " + owner);
    http::Headers& headers = exchange.response_headers();
    headers.set("RateLimit-Limit", std::to_string(verdict.limit));
    headers.set("RateLimit-Remaining", std::to_string(verdict.remaining));
    headers.set("RateLimit-Reset", std::to_string(verdict.reset_s));
    if (verdict.allowed) return std::nullopt;
    http::Problem problem(refusal::rate_limited);
    problem.retry_after_s = static_cast<int>(verdict.retry_after_s);
    problem.retryable = true;
    return problem;
  };
}

}  // namespace tru::api
