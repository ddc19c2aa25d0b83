#include "backend/remote/plain_text.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "text/tokenizer.h"

namespace tru::backend {
namespace {

text::Tokenizer load() {
  auto tokenizer = text::Tokenizer::load(TRU_TEST_DATA "/models/dense-tied");
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  return std::move(*tokenizer);
}

// As a server does: every added token in the text is recognised.
bool holds_added_token(const text::Tokenizer& tokenizer, const std::string& text) {
  const auto ids = tokenizer.encode(text);
  EXPECT_TRUE(ids);
  return std::any_of(ids->begin(), ids->end(), [&](auto id) { return tokenizer.is_added(id); });
}

TEST(PlainText, NoAddedTokenSurvives) {
  const text::Tokenizer tokenizer = load();
  const auto added = tokenizer.added_tokens();
  ASSERT_GT(added.size(), 20u);
  const PlainText own({added.begin(), added.end()}), published = PlainText::published();
  for (const text::AddedToken& outer : added) {
    ASSERT_TRUE(holds_added_token(tokenizer, outer.content));
    const std::string half = outer.content.substr(0, outer.content.size() / 2);
    const std::string rest = outer.content.substr(half.size());
    for (const text::AddedToken& inner : added) {
      // Side by side, and one inside the other: taking nothing away can't make a new one.
      for (const std::string& text :
           {"a" + outer.content + inner.content + "b", half + inner.content + rest}) {
        EXPECT_FALSE(holds_added_token(tokenizer, own.neutralise(text, false))) << text;
        EXPECT_FALSE(holds_added_token(tokenizer, published.neutralise(text, false))) << text;
      }
    }
  }
}

TEST(PlainText, OtherTextStaysAsItIs) {
  const PlainText plain = PlainText::published();
  for (const char* text : {"", "a < b |> c", "<|im_star|>", "<b>\xe4\xb8\xad\xe6\x96\x87</b>"}) {
    EXPECT_EQ(plain.neutralise(text, false), text);
  }
  EXPECT_EQ(plain.neutralise("<|im_end|>", false), "<\xe2\x81\xa0|im_end|>");
  EXPECT_EQ(plain.neutralise("a\xff", false), "a\xef\xbf\xbd");
}

TEST(PlainText, PastAnswersMayThink) {
  const PlainText plain = PlainText::published();
  EXPECT_EQ(plain.neutralise("<think>x</think><|im_end|>", true),
            "<think>x</think><\xe2\x81\xa0|im_end|>");
  EXPECT_NE(plain.neutralise("<think>", false), "<think>");
}

TEST(PlainText, TokensOfOneCharacterAndComposedLetters) {
  const PlainText plain({{1, "\xc3\xa9", true}, {2, "K>", true}});
  EXPECT_EQ(plain.neutralise("\xc3\xa9", false), "\xef\xbf\xbd\xe2\x81\xa0");
  // U+212A is a K to a tokenizer that normalises.
  EXPECT_EQ(plain.neutralise("\xe2\x84\xaa>", false), "K\xe2\x81\xa0>");
}

}  // namespace
}  // namespace tru::backend
