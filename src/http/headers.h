// The header fields of a response, in order.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tru::http {

class Headers {
 public:
  // Replaces every field of that name. Names are compared without regard to case.
  void set(std::string_view name, std::string_view value);

  // Adds one more field, as for Warning or Vary.
  void add(std::string_view name, std::string_view value);

  std::optional<std::string_view> find(std::string_view name) const;

  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

}  // namespace tru::http
