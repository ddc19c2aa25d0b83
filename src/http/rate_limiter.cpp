#include "http/rate_limiter.h"

#include <algorithm>
#include <cmath>

#include "base/assert.h"
#include "http/client_address.h"

namespace tru::http {

RateLimiter::RateLimiter(std::int64_t requests, double period_s, std::size_t max_clients)
    : capacity_(static_cast<double>(requests)),
      tokens_per_s_(capacity_ / period_s),
      max_clients_(max_clients) {
  TRU_ASSERT(requests > 0 && period_s > 0 && max_clients > 0);
}

RateLimiter::Bucket& RateLimiter::bucket_of(std::string_view client, Clock::time_point now) {
  if (const auto found = by_client_.find(client); found != by_client_.end()) {
    buckets_.splice(buckets_.begin(), buckets_, found->second);
    return buckets_.front();
  }
  if (buckets_.size() >= max_clients_) {
    by_client_.erase(buckets_.back().client);
    buckets_.pop_back();
  }
  buckets_.push_front({std::string(client), capacity_, now});
  by_client_.emplace(buckets_.front().client, buckets_.begin());
  return buckets_.front();
}

RateLimiter::Verdict RateLimiter::take(std::string_view client, Clock::time_point now,
                                       std::int64_t amount) {
  const std::lock_guard lock(mutex_);
  Bucket& bucket = bucket_of(client, now);
  const double elapsed_s = std::chrono::duration<double>(now - bucket.filled).count();
  bucket.tokens = std::min(capacity_, bucket.tokens + std::max(0.0, elapsed_s) * tokens_per_s_);
  bucket.filled = std::max(bucket.filled, now);
  const double needed = std::min(static_cast<double>(amount), capacity_);
  const auto seconds_until = [&](double tokens) {
    return static_cast<std::int64_t>(std::ceil((tokens - bucket.tokens) / tokens_per_s_));
  };
  Verdict verdict;
  verdict.allowed = bucket.tokens >= needed;
  if (verdict.allowed) {
    bucket.tokens -= static_cast<double>(amount);
  } else {
    verdict.retry_after_s = std::max<std::int64_t>(1, seconds_until(needed));
  }
  verdict.limit = static_cast<std::int64_t>(capacity_);
  verdict.remaining = static_cast<std::int64_t>(std::max(0.0, bucket.tokens));
  verdict.reset_s = seconds_until(capacity_);
  return verdict;
}

void RateLimiter::correct(std::string_view client, std::int64_t amount) {
  const std::lock_guard lock(mutex_);
  Bucket& bucket = bucket_of(client, Clock::now());
  bucket.tokens = std::min(capacity_, bucket.tokens - static_cast<double>(amount));
}

std::size_t RateLimiter::num_clients() const {
  const std::lock_guard lock(mutex_);
  return buckets_.size();
}

std::string rate_limit_name(const Address& address) {
  const std::string name = client_network(address).text();
  return address.is_ipv4() ? name : name + "/64";
}

}  // namespace tru::http
