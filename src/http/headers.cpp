#include "http/headers.h"

#include <algorithm>

#include "http/text.h"

namespace tru::http {
namespace {

// What would end a field early or hide from a reader of logs becomes a blank: some values come
// from clients, such as file names.
std::string one_line(std::string_view value) {
  std::string line(value);
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return line;
}

}  // namespace

void Headers::set(std::string_view name, std::string_view value) {
  std::erase_if(fields_, [&](const auto& field) { return same_word(field.first, name); });
  add(name, value);
}

void Headers::add(std::string_view name, std::string_view value) {
  fields_.emplace_back(name, one_line(value));
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (const auto& [field, value] : fields_) {
    if (same_word(field, name)) return value;
  }
  return std::nullopt;
}

}  // namespace tru::http
