// Internet addresses, networks of them, and which of them belong to the public.
#pragma once

#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tru {

class Address {
 public:
  // Nothing for families other than IPv4 and IPv6.
  static std::optional<Address> from(const sockaddr* address);
  // "192.0.2.1" or "2001:db8::1".
  static std::optional<Address> parse(std::string_view text);

  // Whether anybody on the internet may be found there: none of IANA's special-purpose ranges, no
  // IPv6 form of such an IPv4 address, no service of a cloud's own.
  bool is_public() const;

  bool is_ipv4() const;      // ::ffff:a.b.c.d too
  bool is_loopback() const;  // 127.0.0.0/8 or ::1
  bool is_any() const;       // 0.0.0.0 or ::

  // The first address of its network: the first `bits` of 32 or, of IPv6, of 128, then zeros.
  Address network(int bits) const;

  std::string text() const;

  friend auto operator<=>(const Address&, const Address&) = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};  // network order; IPv4 as ::ffff:a.b.c.d
};

// "192.0.2.0/24", "2001:db8::/32", or one address alone.
class Network {
 public:
  // Nothing for a length that the family does not have, nor for one below 1, nor for bits that are
  // set beyond it.
  static std::optional<Network> parse(std::string_view text);

  bool contains(const Address& address) const;

  std::string text() const;

 private:
  Network(const Address& first, int bits) : first_(first), bits_(bits) {}

  Address first_;
  int bits_;  // of 32 or, of IPv6, of 128
};

// The addresses of this machine's own interfaces, at this moment.
std::vector<Address> own_addresses();

}  // namespace tru
