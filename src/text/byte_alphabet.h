// How the entries of a byte-level vocabulary spell bytes.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tru::text {

// Vocabulary entries spell bytes as characters: GPT-2's alphabet gives each byte that prints its
// own Latin-1 character, and the other 68 the characters from U+0100 on, in order.
class ByteAlphabet {
 public:
  ByteAlphabet();

  // The bytes that a vocabulary entry stands for; empty if a character is not in the alphabet.
  std::optional<std::string> to_bytes(std::string_view entry) const;

 private:
  // All characters of the alphabet lie below U+0144, so they have one or two UTF-8 bytes.
  static constexpr std::size_t kEnd = 0x144;

  std::array<int, kEnd> bytes_{};
};

}  // namespace tru::text
