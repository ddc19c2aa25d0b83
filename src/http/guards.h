// Checks that stand before every handler. Each looks at a request and refuses it or not; a server
// runs its list in order, before it reads a body.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/exchange.h"

namespace tru::http {

// Nothing: let it pass. May add to exchange.response_headers().
using Guard = std::function<std::optional<Problem>(Exchange&)>;

// Against DNS rebinding: the Host must be localhost, an IP literal, or one of `names` (compared
// without regard to case and port). 403 host_not_allowed.
Guard host_guard(std::vector<std::string> names);

// Against pages of other sites that post forms to this server: unsafe methods with an Origin need
// the server's own (that of Host) or one of `origins`; without one, Sec-Fetch-Site must not say
// cross-site or same-site. Programs send neither and pass. 403 origin_not_allowed.
Guard origin_guard(std::vector<std::string> origins);

// The fields that let pages of exactly these origins read answers. Never "*", never an origin that
// is not in the list.
class Cors {
 public:
  Cors() = default;
  explicit Cors(std::vector<std::string> origins) : origins_(std::move(origins)) {}

  // An OPTIONS request that asks on behalf of a page.
  static bool is_preflight(const RequestHead& head);
  Response preflight(const RequestHead& head, std::string_view allow) const;

  // Vary: Origin, and for an allowed origin the fields that expose the answer to it.
  void apply(const RequestHead& head, Headers& headers) const;

 private:
  bool allows(const RequestHead& head) const;

  std::vector<std::string> origins_;
};

}  // namespace tru::http
