#include "text/vocabulary.h"

#include <gmock/gmock.h>

#include <boost/json.hpp>

#include "text/chat.h"
#include "text/test_checkpoints.h"

namespace tru::text {
namespace {

namespace json = boost::json;
using testing::HasSubstr;

// The lists that a GGUF file would hold for a tokenizer.json.
struct Lists {
  std::vector<std::string> tokens, merges;
  std::vector<std::int32_t> types;
  std::string pre = "qwen2";

  void set(std::size_t id, std::string_view token, std::int32_t type) {
    if (id >= tokens.size()) tokens.resize(id + 1, "[PAD]");
    types.resize(tokens.size(), 5);
    tokens[id] = token;
    types[id] = type;
  }

  Result<Tokenizer> load() const {
    const std::vector<std::string_view> token_views(tokens.begin(), tokens.end());
    const std::vector<std::string_view> merge_views(merges.begin(), merges.end());
    return Tokenizer::load({token_views, types, merge_views, pre}, "m.gguf");
  }

  std::string error() const {
    const auto tokenizer = load();
    return tokenizer ? "" : tokenizer.error().message;
  }
};

Lists lists_of(const std::filesystem::path& checkpoint) {
  const json::value file = read_json(checkpoint / "tokenizer.json");
  Lists lists;
  for (const auto& [token, id] : file.at("model").at("vocab").as_object()) {
    lists.set(static_cast<std::size_t>(id.as_int64()), token, 1);
  }
  for (const json::value& token : file.at("added_tokens").as_array()) {
    lists.set(static_cast<std::size_t>(token.at("id").as_int64()), token.at("content").as_string(),
              token.at("special").as_bool() ? 3 : 4);
  }
  lists.set(lists.tokens.size() + 100, "[PAD]", 5);  // models have more rows than tokens
  for (const json::value& merge : file.at("model").at("merges").as_array()) {
    if (const json::string* text = merge.if_string()) {
      lists.merges.emplace_back(*text);
    } else {
      lists.merges.push_back(std::string(merge.at(0).as_string()) + " " +
                             std::string(merge.at(1).as_string()));
    }
  }
  return lists;
}

void expect_same(const Tokenizer& ours, const Tokenizer& original, const char* vectors) {
  EXPECT_EQ(ours.vocab_size(), original.vocab_size());
  const json::value file = read_json(kTestData / "token_vectors.json");
  EXPECT_EQ(file.at(vectors).as_array().size(), 50u);
  for (const json::value& vector : file.at(vectors).as_array()) {
    const std::string text(vector.at("text").as_string());
    const auto ids = json::value_to<std::vector<TokenId>>(vector.at("ids"));
    EXPECT_EQ(ours.encode(text).value(), ids) << text;
    EXPECT_EQ(ours.encode_literal(text).value(), original.encode_literal(text).value()) << text;
  }
  for (TokenId id = 0; id < static_cast<TokenId>(ours.vocab_size()); ++id) {
    ASSERT_EQ(ours.bytes(id), original.bytes(id)) << id;
    ASSERT_EQ(ours.is_added(id), original.is_added(id)) << id;
    ASSERT_EQ(ours.is_special(id), original.is_special(id)) << id;
  }
}

TEST(Vocabulary, IsTheTokenizerItWasMadeFrom) {
  const auto small = lists_of(small_checkpoint()).load(), full = lists_of(full_checkpoint()).load();
  ASSERT_TRUE(small) << small.error().message;
  ASSERT_TRUE(full) << full.error().message;
  expect_same(*small, small_tokenizer(), "public-small");
  expect_same(*full, full_tokenizer(), "full");
}

TEST(Vocabulary, RefusesWhatWouldGiveOtherIds) {
  const Lists good = lists_of(small_checkpoint());
  Lists lists = good;
  lists.pre = "llama-bpe";
  EXPECT_EQ(lists.error(), "m.gguf: tokenizer.ggml.pre is \"llama-bpe\"; allowed: qwen2");
  lists = good;
  lists.types.pop_back();
  EXPECT_THAT(lists.error(), HasSubstr("types"));
  lists = good;
  lists.types[5] = 6;
  EXPECT_THAT(lists.error(), HasSubstr("token 5 has the type 6"));
  lists = good;
  lists.types[5] = 5;
  EXPECT_THAT(lists.error(), HasSubstr("there is no token for byte"));
  lists = good;
  lists.tokens[7] = lists.tokens[6];
  EXPECT_THAT(lists.error(), HasSubstr("token 7 is there twice"));
  lists = good;
  lists.tokens[7].clear();
  EXPECT_THAT(lists.error(), HasSubstr("token 7 is empty"));
  lists = good;
  lists.merges[3] = "ab";
  EXPECT_THAT(lists.error(), HasSubstr("merge 3 is not a pair"));
  lists.merges[3] = "nowhere seen";
  EXPECT_THAT(lists.error(), HasSubstr("merge 3 uses a token that is not there"));
}

TEST(Vocabulary, GoesWithATemplateAtHand) {
  const std::string jinja = read_file(small_checkpoint() / "chat_template.jinja");
  const auto chat = ChatTemplate::recognise(jinja, "m.gguf", small_tokenizer());
  ASSERT_TRUE(chat) << chat.error().message;
  EXPECT_EQ(chat->variant(), ChatVariant::instruct);
  EXPECT_THAT(ChatTemplate::recognise("", "m.gguf", small_tokenizer()).error().message,
              HasSubstr("m.gguf: the chat template is not that of Qwen3-VL"));
}

}  // namespace
}  // namespace tru::text
