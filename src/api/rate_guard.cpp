#include "api/rate_guard.h"

#include "api/errors.h"

namespace tru::api {
namespace {

std::string name_of(const std::string& key, const http::Exchange& exchange) {
  return key.empty() ? http::rate_limit_name(exchange.client()) : "key " + key;
}

}  // namespace

std::string client_name(const http::Exchange& exchange) {
  return name_of(exchange.user(), exchange);
}

http::Guard rate_guard(std::shared_ptr<http::RateLimiter> limiter, AccessKeys keys) {
  return [limiter = std::move(limiter),
          keys = std::move(keys)](http::Exchange& exchange) -> std::optional<http::Problem> {
    if ((exchange.route_flags() & kOpen) != 0) return std::nullopt;
    const auto verdict =
        limiter->take(name_of(keys.owner_of(exchange.head()).value_or(""), exchange));
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

http::Guard upload_guard(std::shared_ptr<http::RateLimiter> limiter) {
  return [limiter = std::move(limiter)](http::Exchange& exchange) -> std::optional<http::Problem> {
    const auto announced = static_cast<std::int64_t>(exchange.content_length().value_or(1));
    if (announced == 0 || (exchange.route_flags() & kOpen) != 0) return std::nullopt;
    const std::string client = client_name(exchange);
    const auto verdict = limiter->take(client, http::RateLimiter::Clock::now(), announced);
    if (verdict.allowed) {
      exchange.at_end([limiter, client, announced](std::uint64_t bytes_in) {
        limiter->correct(client, static_cast<std::int64_t>(bytes_in) - announced);
      });
      return std::nullopt;
    }
    http::Problem problem(refusal::quota_exceeded);
    problem.retry_after_s = static_cast<int>(verdict.retry_after_s);
    return problem;
  };
}

}  // namespace tru::api
