#include "text/byte_alphabet.h"

namespace tru::text {

ByteAlphabet::ByteAlphabet() {
  bytes_.fill(-1);
  std::size_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const bool prints = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    bytes_[prints ? static_cast<std::size_t>(byte) : next++] = byte;
  }
}

std::optional<std::string> ByteAlphabet::to_bytes(std::string_view entry) const {
  std::string bytes;
  for (std::size_t i = 0; i < entry.size(); ++i) {
    auto character = static_cast<std::size_t>(static_cast<unsigned char>(entry[i]));
    if (character >= 0x80 && i + 1 < entry.size()) {
      const auto trail = static_cast<unsigned char>(entry[++i]);
      character = ((character & 0x1F) << 6) | (trail & 0x3F);
    }
    if (character >= kEnd || bytes_[character] < 0) return std::nullopt;
    bytes += static_cast<char>(bytes_[character]);
  }
  return bytes;
}

}  // namespace tru::text
