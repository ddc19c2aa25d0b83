#include "text/utf8.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/assert.h"

namespace tru::text {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

bool is_ascii(char c) {
  return static_cast<unsigned char>(c) < 0x80;
}

// Length of the character that this byte opens; 0 if no character opens with it.
std::size_t character_size(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

// Characters below U+0300 neither decompose under NFC nor join with one another, so text made of
// them alone is in NFC. U+0300 opens with the byte 0xCC.
bool is_surely_nfc(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) >= 0xCC; });
}

std::vector<std::int32_t> decompose(std::string_view text) {
  constexpr auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
  std::vector<std::int32_t> out;
  out.reserve(text.size());
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  for (std::size_t at = 0; at < text.size();) {
    std::int32_t character = 0;
    const auto size =
        utf8proc_iterate(bytes + at, static_cast<utf8proc_ssize_t>(text.size() - at), &character);
    TRU_ASSERT(size > 0);
    at += static_cast<std::size_t>(size);
    std::array<std::int32_t, 32> parts{};  // canonical decompositions have at most 4
    int boundary = 0;
    const auto count = utf8proc_decompose_char(character, parts.data(),
                                               utf8proc_ssize_t{parts.size()}, options, &boundary);
    TRU_ASSERT(count >= 0 && count <= utf8proc_ssize_t{parts.size()});
    out.insert(out.end(), parts.begin(), parts.begin() + count);
  }
  return out;
}

int combining_class(std::int32_t character) {
  return utf8proc_get_property(character)->combining_class;
}

// Canonical ordering. utf8proc's own is quadratic in the length of a run of combining marks, which
// a hostile text can make as long as it likes.
void order_marks(std::vector<std::int32_t>& characters) {
  auto is_mark = [](std::int32_t c) { return combining_class(c) != 0; };
  auto at = characters.begin();
  while (at != characters.end()) {
    const auto first = std::find_if(at, characters.end(), is_mark);
    at = std::find_if_not(first, characters.end(), is_mark);
    std::stable_sort(first, at, [](std::int32_t a, std::int32_t b) {
      return combining_class(a) < combining_class(b);
    });
  }
}

}  // namespace

// Whether byte may follow the pending ones. The second byte has a narrower range after some leads:
// no overlong forms, no surrogates, nothing above U+10FFFF.
bool Utf8Stream::continues(unsigned char byte) const {
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  if (pending_size_ == 1) {
    switch (static_cast<unsigned char>(pending_[0])) {
      case 0xE0:
        low = 0xA0;
        break;
      case 0xED:
        high = 0x9F;
        break;
      case 0xF0:
        low = 0x90;
        break;
      case 0xF4:
        high = 0x8F;
        break;
      default:
        break;
    }
  }
  return byte >= low && byte <= high;
}

void Utf8Stream::start(unsigned char byte, std::string& out) {
  const std::size_t size = character_size(byte);
  if (size == 0) {
    out += kReplacement;
  } else if (size == 1) {
    out += static_cast<char>(byte);
  } else {
    pending_[0] = static_cast<char>(byte);
    pending_size_ = 1;
    needed_size_ = size;
  }
}

void Utf8Stream::push(std::string_view bytes, std::string& out) {
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (pending_size_ == 0) {
      start(byte, out);
    } else if (!continues(byte)) {
      finish(out);
      start(byte, out);
    } else {
      pending_[pending_size_++] = c;
      if (pending_size_ == needed_size_) {
        out.append(pending_.data(), pending_size_);
        pending_size_ = 0;
      }
    }
  }
}

void Utf8Stream::finish(std::string& out) {
  if (pending_size_ > 0) out += kReplacement;
  pending_size_ = 0;
}

std::string repair_utf8(std::string_view bytes) {
  if (std::all_of(bytes.begin(), bytes.end(), is_ascii)) return std::string(bytes);
  std::string out;
  out.reserve(bytes.size());
  Utf8Stream stream;
  stream.push(bytes, out);
  stream.finish(out);
  return out;
}

std::string to_nfc(std::string text) {
  if (is_surely_nfc(text)) return text;
  std::vector<std::int32_t> characters = decompose(text);
  order_marks(characters);
  const auto count =
      utf8proc_normalize_utf32(characters.data(), static_cast<utf8proc_ssize_t>(characters.size()),
                               static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  TRU_ASSERT(count >= 0);
  text.clear();
  for (utf8proc_ssize_t i = 0; i < count; ++i) {
    std::array<utf8proc_uint8_t, 4> bytes{};
    const auto size = utf8proc_encode_char(characters[static_cast<std::size_t>(i)], bytes.data());
    text.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(size));
  }
  return text;
}

}  // namespace tru::text
