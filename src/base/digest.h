// Cryptographic digests of data that comes in pieces.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace tru {

enum class DigestKind { sha256, sha1 };

class Digest {
 public:
  explicit Digest(DigestKind kind = DigestKind::sha256);
  Digest(Digest&&) noexcept;
  Digest& operator=(Digest&&) noexcept;
  ~Digest();

  void update(std::string_view bytes);
  // In lower-case hexadecimal; nothing may be added after it.
  std::string hex() &&;

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

// Of the whole text.
std::string sha256_hex(std::string_view bytes);

// Takes as long whatever the texts hold, so that an answer's time does not tell how much of a
// secret was guessed. Their sizes are no secret.
bool equal_in_constant_time(std::string_view a, std::string_view b);

// `bytes` random bytes of the operating system, in lower-case hexadecimal: for keys and names that
// nobody may guess.
std::string random_hex(std::size_t bytes);

}  // namespace tru
