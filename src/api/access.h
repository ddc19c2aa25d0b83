// Who may use the service.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/guards.h"

namespace tru::api {

// A route's flag: no key is asked for.
inline constexpr unsigned kOpen = 1;

// The keys of API_KEYS, as digests.
class AccessKeys {
 public:
  // required: false lets everybody in, as one and the same owner.
  AccessKeys(const std::vector<std::string>& keys, bool required);

  // Whose request this is: a name made of the key, or "" when none is needed. Nothing: refused.
  // Takes as long for every key that is not right.
  std::optional<std::string> owner_of(const http::RequestHead& head) const;

  // 401 unauthorized for every route without kOpen, known or not.
  http::Guard guard() const;

 private:
  std::vector<std::string> digests_;
  bool required_;
};

}  // namespace tru::api
