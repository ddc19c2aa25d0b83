#include "base/digest.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/random.h>

#include <vector>

#include "base/assert.h"

namespace tru {
namespace {

std::string to_hex(const unsigned char* bytes, std::size_t count) {
  std::string text;
  text.reserve(2 * count);
  for (std::size_t i = 0; i < count; ++i) text += fmt::format("{:02x}", bytes[i]);
  return text;
}

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

}  // namespace

struct Digest::Context {
  std::unique_ptr<EVP_MD_CTX, FreeContext> md{EVP_MD_CTX_new()};
};

Digest::Digest(DigestKind kind) : context_(std::make_unique<Context>()) {
  const EVP_MD* type = kind == DigestKind::sha256 ? EVP_sha256() : EVP_sha1();
  TRU_ASSERT(context_->md != nullptr);
  TRU_ASSERT(EVP_DigestInit_ex(context_->md.get(), type, nullptr) == 1);
}

Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;
Digest::~Digest() = default;

void Digest::update(std::string_view bytes) {
  TRU_ASSERT(EVP_DigestUpdate(context_->md.get(), bytes.data(), bytes.size()) == 1);
}

std::string Digest::hex() && {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  TRU_ASSERT(EVP_DigestFinal_ex(context_->md.get(), bytes, &size) == 1);
  return to_hex(bytes, size);
}

std::string sha256_hex(std::string_view bytes) {
  Digest digest;
  digest.update(bytes);
  return std::move(digest).hex();
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string random_hex(std::size_t count) {
  std::vector<unsigned char> bytes(count);
  std::size_t got = 0;
  while (got < count) {
    const ssize_t now = getrandom(bytes.data() + got, count - got, 0);
    if (now > 0) got += static_cast<std::size_t>(now);
  }
  return to_hex(bytes.data(), count);
}

}  // namespace tru
