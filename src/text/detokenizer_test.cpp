#include "text/detokenizer.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "text/test_checkpoints.h"

namespace tru::text {
namespace {

TEST(Detokenizer, GreedyAnswersEqualTheGoldens) {
  const auto goldens = read_json(kTestData / "goldens.json");
  for (const auto& golden : goldens.at("cases").as_array()) {
    SCOPED_TRACE(std::string(golden.at("id").as_string()));
    const auto tokenizer =
        Tokenizer::load(kTestData / "models" / std::string(golden.at("model").as_string()));
    ASSERT_TRUE(tokenizer);
    const auto& greedy = golden.at("greedy");
    Detokenizer detokenizer(*tokenizer);
    std::string text;
    for (std::size_t i = 0; i < greedy.at("ids").as_array().size(); ++i) {
      const auto id = boost::json::value_to<TokenId>(greedy.at("ids").at(i));
      std::string bytes;
      for (const auto& byte : greedy.at("bytes").at(i).as_array()) {
        bytes += static_cast<char>(byte.as_int64());
      }
      EXPECT_EQ(tokenizer->bytes(id), bytes);
      text += detokenizer.push(id);
    }
    text += detokenizer.finish();
    EXPECT_EQ(text, std::string(greedy.at("text").as_string()));
  }
}

TEST(Detokenizer, RandomTokensGiveWholeCharactersThatJoinToTheReference) {
  std::mt19937 random(1);
  for (const Tokenizer* tokenizer : {&small_tokenizer(), &full_tokenizer()}) {
    for (int round = 0; round < 500; ++round) {
      Detokenizer detokenizer(*tokenizer);
      std::string bytes;
      std::string text;
      for (int i = 0; i < 20; ++i) {
        // Half of them single bytes, which lie first in the vocabulary; some beyond its end.
        const std::size_t range = random() % 2 == 0 ? 256 : tokenizer->vocab_size() + 8;
        const auto id = static_cast<TokenId>(random() % range);
        const std::string part = detokenizer.push(id);
        ASSERT_EQ(repair_utf8(part), part);
        text += part;
        if (!tokenizer->is_special(id)) bytes += tokenizer->bytes(id);
      }
      text += detokenizer.finish();
      ASSERT_EQ(text, repair_utf8(bytes));
    }
  }
}

TEST(Detokenizer, HoldsBackHalfACharacterAndSkipsControlTokens) {
  const Tokenizer& t = full_tokenizer();
  const auto ids = *t.encode_literal("\u2167");  // U+2167: two tokens
  ASSERT_EQ(ids.size(), 2);
  const TokenId end = *t.find_added("<|im_end|>");
  Detokenizer skipping(t);
  EXPECT_EQ(skipping.push(ids[0]), "");
  EXPECT_EQ(skipping.push(end), "");
  EXPECT_EQ(skipping.push(ids[1]), "\u2167");
  EXPECT_EQ(skipping.push(*t.find_added("<think>")), "<think>");
  Detokenizer showing(t, SpecialTokens::show);
  EXPECT_EQ(showing.push(ids[0]), "");
  EXPECT_EQ(showing.push(end), "\uFFFD<|im_end|>");
  EXPECT_EQ(showing.push(ids[0]), "");
  EXPECT_EQ(showing.push(ids[0]), "\uFFFD");
  EXPECT_EQ(showing.finish(), "\uFFFD");
  EXPECT_EQ(showing.finish(), "");
}

}  // namespace
}  // namespace tru::text
