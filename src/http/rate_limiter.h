// So many requests, or bytes, in so long a time for each client: a token bucket that fills evenly.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/address.h"

namespace tru::http {

// Safe to use from several threads. Memory is bounded: when there are too many clients, the one
// that was away longest is forgotten.
class RateLimiter {
 public:
  using Clock = std::chrono::steady_clock;

  struct Verdict {
    bool allowed = true;
    // Values of the fields RateLimit-Limit, -Remaining and -Reset; the last in s, until the bucket
    // is full again.
    std::int64_t limit = 0;
    std::int64_t remaining = 0;
    std::int64_t reset_s = 0;
    std::int64_t retry_after_s = 0;  // at least 1, if not allowed
  };

  // Requests, or whatever is counted, in period_s seconds, all at once if one likes; both above 0.
  RateLimiter(std::int64_t requests, double period_s, std::size_t max_clients = 100'000);

  // Counts a request of this client. One of an amount that a full bucket does not hold is allowed
  // when it is full, and the next waits all the longer.
  Verdict take(std::string_view client, Clock::time_point now = Clock::now(),
               std::int64_t amount = 1);

  // Takes this much more, or gives it back if below 0, whatever is left.
  void correct(std::string_view client, std::int64_t amount);

  std::size_t num_clients() const;

 private:
  struct Bucket {
    std::string client;
    double tokens;
    Clock::time_point filled;
  };

  Bucket& bucket_of(std::string_view client, Clock::time_point now);

  const double capacity_;
  const double tokens_per_s_;
  const std::size_t max_clients_;
  mutable std::mutex mutex_;
  std::list<Bucket> buckets_;                                                    // the newest first
  std::unordered_map<std::string_view, std::list<Bucket>::iterator> by_client_;  // views into them
};

// The name under which an address is counted: an IPv6 host owns a whole /64.
std::string rate_limit_name(const Address& address);

}  // namespace tru::http
