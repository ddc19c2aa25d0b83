// UTF-8 that is always valid: whatever bytes come in, what goes out can be shown and encoded.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace tru::text {

// Turns a stream of bytes into valid UTF-8. Each maximal ill-formed sequence becomes one U+FFFD,
// as in Python's bytes.decode("utf-8", errors="replace") and Rust's from_utf8_lossy (Unicode 15,
// section 3.9, "substitution of maximal subparts"). Not thread-safe; one object per stream.
class Utf8Stream {
 public:
  // Appends to out the text that is certain; an unfinished character (at most 3 bytes) is kept.
  void push(std::string_view bytes, std::string& out);

  // The stream ends: an unfinished character becomes one U+FFFD.
  void finish(std::string& out);

 private:
  bool continues(unsigned char byte) const;
  void start(unsigned char byte, std::string& out);

  std::array<char, 4> pending_{};
  std::size_t pending_size_ = 0;  // bytes of an unfinished character in pending_
  std::size_t needed_size_ = 0;   // its full length
};

// The whole text at once.
std::string repair_utf8(std::string_view bytes);

// Unicode normalisation form C of valid UTF-8. n log n whatever the text holds.
std::string to_nfc(std::string text);

}  // namespace tru::text
