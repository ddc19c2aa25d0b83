#include "base/address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>

#include "base/assert.h"

namespace tru {
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

std::optional<Address> Address::parse(std::string_view text) {
  char terminated[INET6_ADDRSTRLEN] = {};
  if (text.size() >= sizeof terminated || text.find('\0') != text.npos) return std::nullopt;
  text.copy(terminated, text.size());
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  if (inet_pton(AF_INET, terminated, &v4.sin_addr) == 1) {
    return from(reinterpret_cast<const sockaddr*>(&v4));
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  if (inet_pton(AF_INET6, terminated, &v6.sin6_addr) == 1) {
    return from(reinterpret_cast<const sockaddr*>(&v6));
  }
  return std::nullopt;
}

bool Address::is_ipv4() const {
  return std::equal(kMapped.begin(), kMapped.end(), bytes_.begin());
}

bool Address::is_loopback() const {
  return is_ipv4() ? bytes_[kMapped.size()] == 127 : *this == *parse("::1");
}

bool Address::is_any() const {
  return *this == Address() || *this == *parse("0.0.0.0");
}

Address Address::network(int bits) const {
  Address first = *this;
  const int begin = is_ipv4() ? 96 + bits : bits;
  for (int i = begin / 8; i < 16; ++i) {
    const int kept = std::max(0, begin - 8 * i);
    first.bytes_[static_cast<std::size_t>(i)] &= static_cast<std::uint8_t>(0xff00 >> kept);
  }
  return first;
}

bool Address::is_public() const {
  const auto is_in = [this](const Range& range) {
    const auto first = parse(range.first);
    TRU_ASSERT(first.has_value());
    return is_ipv4() == first->is_ipv4() && network(range.bits) == *first;
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

std::optional<Network> Network::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto first = Address::parse(text.substr(0, slash));
  if (!first) return std::nullopt;
  const int most = first->is_ipv4() ? 32 : 128;
  int bits = most;
  if (slash != text.npos) {
    const auto length = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), bits);
    if (error != std::errc() || end != length.data() + length.size()) return std::nullopt;
  }
  if (bits < 1 || bits > most || first->network(bits) != *first) return std::nullopt;
  return Network(*first, bits);
}

bool Network::contains(const Address& address) const {
  return address.is_ipv4() == first_.is_ipv4() && address.network(bits_) == first_;
}

std::string Network::text() const {
  const int most = first_.is_ipv4() ? 32 : 128;
  return bits_ == most ? first_.text() : first_.text() + "/" + std::to_string(bits_);
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

}  // namespace tru
