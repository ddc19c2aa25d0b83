#include "text/utf8.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>

namespace tru::text {
namespace {

// By the code point and not by ranges of bytes, unlike the code under test.
bool is_character(std::string_view bytes) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  if (bytes.size() == 1) return byte(0) < 0x80;
  const unsigned lead_bits = bytes.size() == 2 ? 0xC0 : bytes.size() == 3 ? 0xE0 : 0xF0;
  const unsigned lead_mask = bytes.size() == 2 ? 0xE0 : bytes.size() == 3 ? 0xF0 : 0xF8;
  if ((byte(0) & lead_mask) != lead_bits) return false;
  unsigned code = byte(0) & ~lead_mask;
  for (std::size_t i = 1; i < bytes.size(); ++i) {
    if ((byte(i) & 0xC0) != 0x80) return false;
    code = (code << 6) | (byte(i) & 0x3F);
  }
  const unsigned smallest = bytes.size() == 2 ? 0x80 : bytes.size() == 3 ? 0x800 : 0x10000;
  return code >= smallest && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
}

// Whether some bytes make these a character. The ends of the range of trail bytes suffice.
bool opens_character(std::string_view bytes) {
  for (std::size_t size = bytes.size() + 1; size <= 4; ++size) {
    for (const char trail : {'\x80', '\xBF'}) {
      std::string whole(bytes);
      whole.resize(size, trail);
      if (is_character(whole)) return true;
    }
  }
  return false;
}

std::string reference_repair(std::string_view bytes) {
  std::string out;
  while (!bytes.empty()) {
    std::size_t size = 1;
    while (size <= 4 && size <= bytes.size() && !is_character(bytes.substr(0, size))) ++size;
    if (size <= 4 && size <= bytes.size()) {
      out += bytes.substr(0, size);
    } else {
      size = 1;
      while (size < bytes.size() && opens_character(bytes.substr(0, size + 1))) ++size;
      if (!opens_character(bytes.substr(0, 1))) size = 1;
      out += "\uFFFD";
    }
    bytes.remove_prefix(size);
  }
  return out;
}

// Bytes that are likely to make half characters of all kinds.
std::string random_bytes(std::mt19937& random) {
  static const std::string kBytes =
      "aZ\xC2\xA9\xE0\xA0\x80\xED\x9F\xBF\xF0\x90\xF4\x8F\xE4\xFF\xC1";
  std::string out(random() % 12, '\0');
  for (char& c : out) {
    c = random() % 8 == 0 ? static_cast<char>(random()) : kBytes[random() % kBytes.size()];
  }
  return out;
}

// Expected values: Python's bytes.decode("utf-8", errors="replace").
TEST(Utf8, ReplacesMaximalSubparts) {
  EXPECT_EQ(repair_utf8("caf\xC3\xA9 \xF0\x9F\x98\x80"), "café 😀");
  EXPECT_EQ(repair_utf8("\xF0\x9F\x98"
                        "a"),
            "\uFFFDa");
  EXPECT_EQ(repair_utf8("\xE0\x80\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(repair_utf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(repair_utf8("\xF0\x90\x80\xE4\xBD\xA0"), "\uFFFD你");
  EXPECT_EQ(repair_utf8("\xF4\x90\xC1\xFF"), "\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(repair_utf8("x\xE4\xBD"), "x\uFFFD");
}

TEST(Utf8, StreamEqualsTheWholeAndNeverEmitsPartOfACharacter) {
  std::mt19937 random(1);
  for (int round = 0; round < 20000; ++round) {
    const std::string bytes = random_bytes(random);
    const std::string expected = reference_repair(bytes);
    ASSERT_EQ(repair_utf8(bytes), expected);
    Utf8Stream stream;
    std::string joined;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = 1 + random() % 3;
      std::string part;
      stream.push(std::string_view(bytes).substr(at, size), part);
      ASSERT_EQ(reference_repair(part), part);
      joined += part;
      at += size;
    }
    stream.finish(joined);
    ASSERT_EQ(joined, expected);
  }
}

// Expected values: Unicode 15, annex 15, and Python's unicodedata.normalize("NFC", text).
TEST(Nfc, ComposesAsUnicodeSays) {
  EXPECT_EQ(to_nfc("plain, ünï"), "plain, ünï");
  EXPECT_EQ(to_nfc("e\u0301 A\u030A"), "\u00E9 \u00C5");
  EXPECT_EQ(to_nfc("\u2126\u212B"), "\u03A9\u00C5");                    // singletons
  EXPECT_EQ(to_nfc("a\u0301\u0323"), "\u1EA1\u0301");                   // marks are put in order
  EXPECT_EQ(to_nfc("\u0958"), "\u0915\u093C");                          // excluded from composition
  EXPECT_EQ(to_nfc("\u1112\u1161\u11AB\u1100\u1173"), "\uD55C\uADF8");  // Hangul
  EXPECT_EQ(to_nfc("\u0344x\u0301"), "\u0308\u0301x\u0301");
  EXPECT_EQ(to_nfc("\U0001D15E"), "\U0001D157\U0001D165");
}

// With an ordering of marks that is quadratic this takes minutes.
TEST(Nfc, LongRunsOfMarksAreSorted) {
  std::string marks = "x";
  std::string sorted = "x";
  for (int i = 0; i < 300000; ++i) marks += "\u0301\u0323";
  for (int i = 0; i < 300000; ++i) sorted += "\u0323";
  for (int i = 0; i < 300000; ++i) sorted += "\u0301";
  EXPECT_EQ(to_nfc(marks), sorted);
}

}  // namespace
}  // namespace tru::text
