// Base64 (RFC 4648, both alphabets, padding optional), as in data: URLs.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tru {

// Nothing if `text` holds anything but the alphabet and final padding.
std::optional<std::vector<std::uint8_t>> decode_base64(std::string_view text);

// The first alphabet, padded.
std::string encode_base64(std::span<const std::uint8_t> bytes);

}  // namespace tru
