#include "text/splitter.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace tru::text {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The pattern of the Qwen models, as in their tokenizer.json.
constexpr std::string_view kQwenPattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";

TEST(Splitter, CutsAsTheQwenPatternSays) {
  const auto splitter = Splitter::compile(kQwenPattern);
  ASSERT_TRUE(splitter);
  EXPECT_THAT(*splitter->split("I'LL pay  12€!\n\n ok "),
              ElementsAre("I", "'LL", " pay", " ", " ", "1", "2", "€!\n\n", " ok", " "));
  EXPECT_THAT(*splitter->split(""), ElementsAre());
  // U+180E is not white space in today's Unicode; U+0085 is.
  EXPECT_THAT(*splitter->split(" \u180E\n"), ElementsAre(" \u180E\n"));
  EXPECT_THAT(*splitter->split("x \u0085"), ElementsAre("x", " \u0085"));
}

TEST(Splitter, WhatDoesNotMatchIsAPieceToo) {
  const auto digits = Splitter::compile("[0-9]+");
  EXPECT_THAT(*digits->split("ab12é3"), ElementsAre("ab", "12", "é", "3"));
  EXPECT_THAT(*digits->split("none"), ElementsAre("none"));
  const auto maybe_empty = Splitter::compile("é*");
  EXPECT_THAT(*maybe_empty->split("aéb"), ElementsAre("a", "é", "b"));
  const auto escapes = Splitter::compile(R"(\\s)");
  EXPECT_THAT(*escapes->split(R"(a\s b)"), ElementsAre("a", R"(\s)", " b"));
}

TEST(Splitter, LongTextsTakeNoMoreStepsThanTheyHaveCharacters) {
  const auto splitter = Splitter::compile(kQwenPattern);
  const std::size_t size = 16 << 20;
  EXPECT_EQ(splitter->split(std::string(size, ' ') + "x").value().size(), 2);
  EXPECT_EQ(splitter->split(std::string(size, '\n')).value().size(), 1);
  EXPECT_EQ(splitter->split(std::string(size, 'x')).value().size(), 1);
}

TEST(Splitter, APatternThatExplodesIsStopped) {
  const auto splitter = Splitter::compile("(?:a+)+[bc]");
  ASSERT_TRUE(splitter);
  const auto pieces = splitter->split(std::string(100, 'a'));
  ASSERT_FALSE(pieces);
  EXPECT_EQ(pieces.error().code, ErrorCode::invalid_argument);
}

// Alternatives within a repeated group need a stack that grows with the text.
TEST(Splitter, DeepPatternsFallBackToTheInterpreter) {
  const auto splitter = Splitter::compile("(?:(a)|b)+");
  ASSERT_TRUE(splitter);
  EXPECT_EQ(splitter->split(std::string(100000, 'a')).value().size(), 1);
}

TEST(Splitter, RefusesWhatIsNotAPattern) {
  const auto splitter = Splitter::compile("(unclosed");
  ASSERT_FALSE(splitter);
  EXPECT_EQ(splitter.error().code, ErrorCode::model_invalid);
  EXPECT_THAT(splitter.error().message, HasSubstr("parenthesis"));
  EXPECT_FALSE(Splitter::compile(std::string(100000, 'a')));
  EXPECT_FALSE(Splitter::compile("ends in \\"));
}

}  // namespace
}  // namespace tru::text
