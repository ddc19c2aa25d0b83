#include "http/client_address.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "http/text.h"

namespace tru::http {
namespace {

// "192.0.2.1", "2001:db8::1" or "[2001:db8::1]"; some proxies add the port.
std::optional<Address> parse_hop(std::string_view text) {
  const bool bracketed = text.starts_with('[');
  const auto end = bracketed ? text.find(']') : std::min(text.find(':'), text.size());
  const auto alone = Address::parse(text);
  if (alone || end == text.npos) return alone;
  const auto address = Address::parse(text.substr(0, end).substr(bracketed ? 1 : 0));
  if (!address || address->is_ipv4() == bracketed) return std::nullopt;
  const auto port = text.substr(bracketed ? end + 1 : end);
  const bool digits =
      port.substr(std::min<std::size_t>(1, port.size())).find_first_not_of("0123456789") ==
      port.npos;
  const bool good = port.empty() || (port.front() == ':' && digits && port.size() <= 6);
  return good && port != ":" ? address : std::nullopt;
}

}  // namespace

bool is_in(const std::vector<Network>& networks, const Address& address) {
  return std::any_of(networks.begin(), networks.end(),
                     [&](const Network& network) { return network.contains(address); });
}

Address client_of(const RequestHead& head, const Address& peer,
                  const std::vector<Network>& trusted_proxies) {
  std::vector<std::string_view> hops;  // a proxy may add a field of its own instead of an item
  const auto [begin, end] = head.fields.equal_range("X-Forwarded-For");
  for (auto field = begin; field != end; ++field) {
    const std::string_view list(field->value().data(), field->value().size());
    split(list, ',', [&](std::string_view hop) {
      hops.push_back(trim(hop));
      return true;
    });
  }
  Address client = peer;
  for (auto hop = hops.rbegin(); hop != hops.rend() && is_in(trusted_proxies, client); ++hop) {
    const auto address = parse_hop(*hop);
    if (!address || address->is_any()) return peer;
    client = *address;
  }
  return client.is_loopback() ? peer : client;
}

Address client_network(const Address& client) {
  return client.is_ipv4() ? client : client.network(64);
}

std::shared_ptr<void> ClientPlaces::take(const Address& client) {
  const Address name = client_network(client);
  std::size_t& taken = taken_[name];
  if (taken >= places_each_) {
    if (taken == 0) taken_.erase(name);
    return nullptr;
  }
  ++taken;
  return {this, [this, name](void*) {
            if (--taken_[name] == 0) taken_.erase(name);
          }};
}

}  // namespace tru::http
