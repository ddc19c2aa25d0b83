#include "fetch/resolver.h"

#include <netdb.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

namespace tru::fetch {
namespace {

using Addresses = Result<std::vector<Address>>;

// What the resolving thread leaves for whoever still waits.
struct Lookup {
  std::mutex mutex;
  std::condition_variable_any done;
  std::optional<Addresses> result;
};

}  // namespace

Addresses system_resolver(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  std::vector<Address> addresses;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &list) == 0) {
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, freeaddrinfo);
    for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
      if (const auto address = Address::from(entry->ai_addr)) addresses.push_back(*address);
    }
  }
  if (addresses.empty()) {
    return fail(ErrorCode::source_unreachable, "no web server of this name was found");
  }
  return addresses;
}

Addresses resolve(const Resolver& resolver, const std::string& host,
                  std::chrono::milliseconds timeout, std::shared_ptr<void> kept,
                  std::stop_token stop) {
  const auto lookup = std::make_shared<Lookup>();
  std::thread([lookup, resolver, host, kept = std::move(kept)] {
    Addresses result = resolver(host);
    const std::lock_guard lock(lookup->mutex);
    lookup->result = std::move(result);
    lookup->done.notify_all();
  }).detach();

  std::unique_lock lock(lookup->mutex);
  const bool done =
      lookup->done.wait_for(lock, stop, timeout, [&] { return lookup->result.has_value(); });
  if (done) return std::move(*lookup->result);
  if (stop.stop_requested()) return fail(ErrorCode::cancelled, "the download was cancelled");
  return fail(ErrorCode::source_timeout, "the name of the web server was not found in time");
}

}  // namespace tru::fetch
