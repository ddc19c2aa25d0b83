#include "text/bpe.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "text/test_checkpoints.h"
#include "text/tokenizer_file.h"

namespace tru::text {
namespace {

// The definition: as long as any neighbours merge, merge the leftmost pair of the lowest rank.
std::vector<TokenId> reference_encode(const TokenizerFile& file, std::string_view word) {
  std::vector<TokenId> ids;
  for (const char c : word) ids.push_back(file.byte_tokens[static_cast<unsigned char>(c)]);
  for (const Merge& merge : file.merges) {
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      if (ids[i] != merge.left || ids[i + 1] != merge.right) continue;
      ids[i] = merge.merged;
      ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    }
  }
  return ids;
}

TEST(Bpe, EqualsTheDefinitionOnRandomWords) {
  const auto file = read_tokenizer_file(small_checkpoint());
  ASSERT_TRUE(file);
  const Bpe bpe(file->byte_tokens, file->merges);
  Bpe::Scratch scratch;
  std::mt19937 random(1);
  const std::string letters = "  aeinorst\xC3\xA9";
  for (int round = 0; round < 500; ++round) {
    std::string word(random() % 60, ' ');
    for (char& c : word) c = letters[random() % letters.size()];
    std::vector<TokenId> ids;
    bpe.encode(word, scratch, ids);
    ASSERT_EQ(ids, reference_encode(*file, word)) << word;
  }
}

TEST(Bpe, AppendsAndTakesEmptyWords) {
  std::array<TokenId, 256> bytes{};
  for (int b = 0; b < 256; ++b) bytes[static_cast<std::size_t>(b)] = b;
  const Bpe bpe(bytes, {{'a', 'b', 300}, {300, 300, 301}});
  Bpe::Scratch scratch;
  std::vector<TokenId> ids = {7};
  bpe.encode("", scratch, ids);
  bpe.encode("ababab", scratch, ids);
  EXPECT_EQ(ids, (std::vector<TokenId>{7, 301, 300}));
}

// With merging that is quadratic this takes hours. 8 x are the longest run with a token.
TEST(Bpe, AMegabyteWithoutSpacesIsOneWord) {
  const auto ids = full_tokenizer().encode_literal(std::string(1 << 20, 'x'));
  ASSERT_TRUE(ids);
  EXPECT_EQ(*ids, std::vector<TokenId>(131072, 44102));
}

}  // namespace
}  // namespace tru::text
