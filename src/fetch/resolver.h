// Names to addresses, without waiting for ever.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"

namespace tru::fetch {

// Every address of a host, which may also be an address itself. May block. Errors:
// source_unreachable when there is none.
using Resolver = std::function<Result<std::vector<Address>>(const std::string& host)>;

// getaddrinfo(): the system's hosts file, DNS and other sources.
Result<std::vector<Address>> system_resolver(const std::string& host);

// Runs `resolver` on a thread of its own and gives up on it in time: getaddrinfo() can't be
// interrupted. `kept` lives until it has really ended. Errors: its own, source_timeout, cancelled.
Result<std::vector<Address>> resolve(const Resolver& resolver, const std::string& host,
                                     std::chrono::milliseconds timeout, std::shared_ptr<void> kept,
                                     std::stop_token stop);

}  // namespace tru::fetch
