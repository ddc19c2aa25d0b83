// Small pieces of text that several parsers of this folder share.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tru::http {

// Decodes %XX once; nothing for a broken escape.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);

// RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF.
bool is_utf8(std::string_view text);

// Equal but for the case of ASCII letters.
bool same_word(std::string_view a, std::string_view b);

// Without blanks and tabs at both ends.
std::string_view trim(std::string_view text);

// Calls each(piece) for what lies between separators, until it says false.
template <typename Each>
bool split(std::string_view text, char separator, Each each) {
  for (;;) {
    const auto end = text.find(separator);
    if (!each(text.substr(0, end))) return false;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
}

}  // namespace tru::http
