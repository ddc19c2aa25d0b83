#include "base/digest.h"

#include <gmock/gmock.h>

#include <set>

namespace tru {
namespace {

TEST(Digest, IsThatOfTheStandards) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Digest sha1(DigestKind::sha1);
  sha1.update("abc");
  EXPECT_EQ(std::move(sha1).hex(), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

TEST(Digest, DoesNotDependOnHowTheBytesCome) {
  const std::string bytes(100'000, '\x7f');
  Digest digest;
  for (std::size_t i = 0; i < bytes.size(); i += 777) digest.update(bytes.substr(i, 777));
  EXPECT_EQ(std::move(digest).hex(), sha256_hex(bytes));
}

TEST(Digest, SecretsAreComparedWhole) {
  EXPECT_TRUE(equal_in_constant_time("key", "key"));
  EXPECT_FALSE(equal_in_constant_time("key", "kez"));
  EXPECT_FALSE(equal_in_constant_time("key", "keyy"));
  EXPECT_TRUE(equal_in_constant_time("", ""));
}

TEST(Digest, RandomTextsAreOfOneSizeAndNeverTheSame) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random_hex(16));
  EXPECT_EQ(seen.size(), 1000);
  for (const std::string& text : seen) {
    EXPECT_EQ(text.size(), 32);
    EXPECT_EQ(text.find_first_not_of("0123456789abcdef"), text.npos);
  }
}

}  // namespace
}  // namespace tru
