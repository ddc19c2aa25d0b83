// Whose request it is, by address.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <vector>

#include "base/address.h"
#include "http/request_head.h"

namespace tru::http {

// Whether `address` is in one of the networks.
bool is_in(const std::vector<Network>& networks, const Address& address);

// The client of a request that came from `peer`: that address itself or, if it is a trusted
// proxy's, the last one in X-Forwarded-For that is not; the first if all are trusted. What stands
// before that address was written by somebody we do not know, and is not looked at. A field that is
// missing or malformed, or says that the client is this machine itself, changes nothing: `peer`.
Address client_of(const RequestHead& head, const Address& peer,
                  const std::vector<Network>& trusted_proxies);

// What counts as one client: an IPv6 network of /64 belongs to one, who can use all of its
// addresses.
Address client_network(const Address& client);

// How many connections, or requests behind trusted proxies, each client has open. Not safe to use
// from several threads.
class ClientPlaces {
 public:
  explicit ClientPlaces(std::size_t places_each) : places_each_(places_each) {}

  // A place, given back when the last copy of the result is gone; null when this client has none
  // left. Must not outlive this.
  std::shared_ptr<void> take(const Address& client);

 private:
  const std::size_t places_each_;
  std::map<Address, std::size_t> taken_;  // by client_network(), none of them 0
};

}  // namespace tru::http
