#include "text/tokenizer.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "text/detokenizer.h"
#include "text/test_checkpoints.h"

namespace tru::text {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Ids = std::vector<TokenId>;

Ids to_ids(const boost::json::value& list) {
  return boost::json::value_to<Ids>(list);
}

void check_vectors(const Tokenizer& tokenizer, const char* name) {
  const auto vectors = read_json(kTestData / "token_vectors.json");
  const auto& cases = vectors.at(name).as_array();
  EXPECT_EQ(cases.size(), 50);
  for (const auto& c : cases) {
    const std::string text(c.at("text").as_string());
    SCOPED_TRACE(text);
    const auto ids = tokenizer.encode(text);
    ASSERT_TRUE(ids);
    EXPECT_EQ(*ids, to_ids(c.at("ids")));
    Detokenizer detokenizer(tokenizer, SpecialTokens::show);
    std::string decoded;
    for (const TokenId id : *ids) decoded += detokenizer.push(id);
    decoded += detokenizer.finish();
    EXPECT_EQ(decoded, std::string(c.at("decoded").as_string()));
  }
}

TEST(Tokenizer, ReproducesTheReferenceVectors) {
  check_vectors(full_tokenizer(), "full");
  check_vectors(small_tokenizer(), "public-small");
}

TEST(Tokenizer, MergesAsPairsMeanTheSame) {
  const auto pairs = Tokenizer::load(kTestData / "models/deepstack4");
  ASSERT_TRUE(pairs);
  check_vectors(*pairs, "public-small");
}

TEST(Tokenizer, KnowsItsTokens) {
  const Tokenizer& t = full_tokenizer();
  EXPECT_EQ(t.vocab_size(), 151669);
  EXPECT_EQ(t.added_tokens().size(), 26);
  EXPECT_EQ(t.find_added("<|im_end|>"), 151645);
  EXPECT_EQ(t.find_added("Hello"), std::nullopt);
  EXPECT_TRUE(t.is_special(151645));
  EXPECT_TRUE(t.is_added(151667));
  EXPECT_FALSE(t.is_special(151667));
  EXPECT_FALSE(t.is_added(9707));
  EXPECT_EQ(t.bytes(9707), "Hello");
  EXPECT_EQ(t.bytes(220), " ");
  for (const TokenId id : {-1, 151669, 1 << 30}) {
    EXPECT_EQ(t.bytes(id), "");
    EXPECT_FALSE(t.is_added(id));
  }
}

// Contract section 5: user text is text.
TEST(Tokenizer, LiteralTextNeverHoldsAnAddedToken) {
  for (const Tokenizer* t : {&small_tokenizer(), &full_tokenizer()}) {
    EXPECT_EQ(t->added_tokens().size(), 26);
    for (const AddedToken& token : t->added_tokens()) {
      for (const std::string& text :
           {token.content, "a" + token.content + "b", " " + token.content + token.content}) {
        const auto ids = t->encode_literal(text);
        ASSERT_TRUE(ids);
        for (const TokenId id : *ids) EXPECT_FALSE(t->is_added(id)) << text;
        EXPECT_EQ(decode(*t, *ids), text);
      }
    }
  }
}

TEST(Tokenizer, PiecesAreOneTextAndRecogniseWhatTheyMay) {
  const Tokenizer& t = full_tokenizer();
  const std::vector<Piece> split_word = {{"Hel"}, {"lo"}};
  EXPECT_THAT(*t.encode(split_word), ElementsAre(9707));
  const std::string text = "<think><|im_end|>";
  const std::vector<Piece> answer = {{text, AddedTokens::not_special}};
  const Ids ids = *t.encode(answer);
  EXPECT_EQ(ids.front(), 151667);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), 151645), 0);
  EXPECT_EQ(decode(t, ids), text);
  EXPECT_THAT(*t.encode(text), ElementsAre(151667, 151645));
  EXPECT_THAT(*t.encode(std::vector<Piece>{}), ElementsAre());
}

TEST(Tokenizer, BrokenBytesBecomeReplacementCharacters) {
  const Tokenizer& t = full_tokenizer();
  EXPECT_EQ(*t.encode_literal("a\xFF\xE4\xBD"), *t.encode_literal("a\uFFFD\uFFFD"));
}

TEST(Tokenizer, RefusesTextAboveTheLimit) {
  const auto ids = small_tokenizer().encode_literal(std::string((16 << 20) + 1, 'a'));
  ASSERT_FALSE(ids);
  EXPECT_EQ(ids.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(ids.error().message, HasSubstr("16777216"));
}

}  // namespace
}  // namespace tru::text
