#include "fetch/address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/assert.h"

namespace tru::fetch {
namespace {

struct Range {
  const char* first;
  int bits;
};

// IANA's IPv4 special-purpose registry, multicast, and the reserved block with broadcast.
constexpr Range kSpecialIpv4[] = {
    {"0.0.0.0", 8},      {"10.0.0.0", 8},     {"100.64.0.0", 10}, {"127.0.0.0", 8},
    {"169.254.0.0", 16}, {"172.16.0.0", 12},  {"192.0.0.0", 24},  {"192.0.2.0", 24},
    {"192.88.99.0", 24}, {"192.168.0.0", 16}, {"198.18.0.0", 15}, {"198.51.100.0", 24},
    {"203.0.113.0", 24}, {"224.0.0.0", 4},    {"240.0.0.0", 4},   {"168.63.129.16", 32},  // Azure
};

// Within 2000::/3, the only block from which public addresses are given: protocol assignments
// (Teredo among them), documentation, 6to4.
constexpr Range kSpecialIpv6[] = {
    {"2001::", 23},
    {"2001:db8::", 32},
    {"2002::", 16},
    {"3fff::", 20},
};

constexpr Range kPublicIpv6 = {"2000::", 3};
constexpr Range kNat64 = {"64:ff9b::", 96};  // the last 32 bits are an IPv4 address
constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

std::optional<Address> Address::from(const sockaddr* address) {
  Address result;
  if (address->sa_family == AF_INET) {
    std::copy(kMapped.begin(), kMapped.end(), result.bytes_.begin());
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    std::memcpy(result.bytes_.data() + kMapped.size(), &v4->sin_addr, 4);
    return result;
  }
  if (address->sa_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
    std::memcpy(result.bytes_.data(), &v6->sin6_addr, 16);
    return result;
  }
  return std::nullopt;
}

std::optional<Address> Address::parse(const std::string& text) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  if (inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    return from(reinterpret_cast<const sockaddr*>(&v4));
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  if (inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
    return from(reinterpret_cast<const sockaddr*>(&v6));
  }
  return std::nullopt;
}

bool Address::is_ipv4() const {
  return std::equal(kMapped.begin(), kMapped.end(), bytes_.begin());
}

bool Address::starts_with(const Address& prefix, int bits) const {
  const auto whole = static_cast<std::size_t>(bits / 8);
  if (!std::equal(bytes_.begin(), bytes_.begin() + bits / 8, prefix.bytes_.begin())) return false;
  if (bits % 8 == 0) return true;
  return (bytes_[whole] ^ prefix.bytes_[whole]) >> (8 - bits % 8) == 0;
}

bool Address::is_public() const {
  const auto is_in = [this](const Range& range) {
    const auto first = parse(range.first);
    TRU_ASSERT(first.has_value());
    return starts_with(*first, first->is_ipv4() ? 96 + range.bits : range.bits);
  };
  if (is_ipv4()) return std::none_of(std::begin(kSpecialIpv4), std::end(kSpecialIpv4), is_in);
  if (is_in(kNat64)) {
    Address inside = *this;
    std::copy(kMapped.begin(), kMapped.end(), inside.bytes_.begin());
    return inside.is_public();
  }
  return is_in(kPublicIpv6) &&
         std::none_of(std::begin(kSpecialIpv6), std::end(kSpecialIpv6), is_in);
}

std::string Address::text() const {
  char text[INET6_ADDRSTRLEN] = {};
  if (is_ipv4()) {
    inet_ntop(AF_INET, bytes_.data() + kMapped.size(), text, sizeof text);
  } else {
    inet_ntop(AF_INET6, bytes_.data(), text, sizeof text);
  }
  return text;
}

std::vector<Address> own_addresses() {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return {};
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(list, freeifaddrs);
  std::vector<Address> addresses;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr) continue;
    if (const auto address = Address::from(entry->ifa_addr)) addresses.push_back(*address);
  }
  return addresses;
}

}  // namespace tru::fetch
