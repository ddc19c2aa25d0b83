// How often somebody may ask.
#pragma once

#include <memory>

#include "api/access.h"
#include "http/rate_limiter.h"

namespace tru::api {

// 429 rate_limited for a key, or an address without one, that asks too often; tells in RateLimit-*
// how much is left. Open routes are not counted.
http::Guard rate_guard(std::shared_ptr<http::RateLimiter> limiter, AccessKeys keys);

}  // namespace tru::api
