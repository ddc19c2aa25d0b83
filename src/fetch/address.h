// Internet addresses, and which of them belong to the public.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tru::fetch {

class Address {
 public:
  // Nothing for families other than IPv4 and IPv6.
  static std::optional<Address> from(const sockaddr* address);
  // "192.0.2.1" or "2001:db8::1".
  static std::optional<Address> parse(const std::string& text);

  // Whether anybody on the internet may be found there: none of IANA's special-purpose ranges, no
  // IPv6 form of such an IPv4 address, no service of a cloud's own.
  bool is_public() const;

  std::string text() const;

  friend bool operator==(const Address&, const Address&) = default;

 private:
  bool is_ipv4() const;
  // Whether the first `bits` are those of `prefix`.
  bool starts_with(const Address& prefix, int bits) const;

  std::array<std::uint8_t, 16> bytes_{};  // network order; IPv4 as ::ffff:a.b.c.d
};

// The addresses of this machine's own interfaces, at this moment.
std::vector<Address> own_addresses();

}  // namespace tru::fetch
