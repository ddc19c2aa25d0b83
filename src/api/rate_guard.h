// How often, and how much, somebody may ask.
#pragma once

#include <memory>
#include <string>

#include "api/access.h"
#include "http/rate_limiter.h"

namespace tru::api {

// Under which name limits count a request: that of its key, or of its address without one.
std::string client_name(const http::Exchange& exchange);

// 429 rate_limited for a key, or an address without one, that asks too often; tells in RateLimit-*
// how much is left. Open routes are not counted. Stands before the guard of the keys: wrong ones
// count by their address.
http::Guard rate_guard(std::shared_ptr<http::RateLimiter> limiter, AccessKeys keys);

// 429 quota_exceeded for a key or address that has sent its share of bytes: bodies count as they
// are announced, then as they came. Stands behind the guard of the keys.
http::Guard upload_guard(std::shared_ptr<http::RateLimiter> limiter);

}  // namespace tru::api
