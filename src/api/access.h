// Who may use the service.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/guards.h"
#include "store/key_ring.h"

namespace tru::api {

// Flags of a route.
inline constexpr unsigned kOpen = 1;     // no key is asked for
inline constexpr unsigned kMetrics = 2;  // a key of the scope `metrics` is enough

class AccessKeys {
 public:
  // required: false lets everybody in, as one and the same owner.
  AccessKeys(std::shared_ptr<const store::KeyRing> ring, bool required);

  // Whose request this is: the key's id, or "" when none is needed. Nothing: refused. Takes as long
  // for every key that is not right.
  std::optional<std::string> owner_of(const http::RequestHead& head) const;

  // Sets Exchange::user() to the key's id. 401 unauthorized for every route without kOpen, known or
  // not; 403 scope_missing for a key that was made for something else.
  http::Guard guard() const;

 private:
  std::optional<store::KeyInfo> key_of(const http::RequestHead& head) const;

  std::shared_ptr<const store::KeyRing> ring_;
  bool required_;
};

}  // namespace tru::api
