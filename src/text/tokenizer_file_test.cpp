#include "text/tokenizer_file.h"

#include <gmock/gmock.h>

#include <functional>
#include <random>
#include <string>

#include "text/test_checkpoints.h"

namespace tru::text {
namespace {

using ::testing::HasSubstr;
namespace json = boost::json;

const std::string& small_file() {
  static const std::string text = read_file(small_checkpoint() / "tokenizer.json");
  return text;
}

Result<Tokenizer> load_text(std::string_view tokenizer_json, std::string_view config = "{}") {
  const TempDir dir;
  dir.write("tokenizer.json", tokenizer_json);
  dir.write("tokenizer_config.json", config);
  return Tokenizer::load(dir.path());
}

struct Damage {
  const char* what;  // part of the message
  std::function<void(json::object&)> apply;
};

json::object& model(json::object& root) {
  return root["model"].as_object();
}
json::object& vocab(json::object& root) {
  return model(root)["vocab"].as_object();
}
json::array& merges(json::object& root) {
  return model(root)["merges"].as_array();
}
json::object& step(json::object& root, std::size_t i) {
  return root["pre_tokenizer"].as_object()["pretokenizers"].as_array()[i].as_object();
}

const Damage kDamages[] = {
    {"normalizer NFKC",
     [](auto& r) {
       r["normalizer"] = {{"type", "NFKC"}};
     }},
    {"normalizer null", [](auto& r) { r["normalizer"] = 7; }},
    {"pre_tokenizer", [](auto& r) { r.erase("pre_tokenizer"); }},
    {"pre_tokenizer", [](auto& r) { step(r, 0)["type"] = "Whitespace"; }},
    {"Isolated", [](auto& r) { step(r, 0)["behavior"] = "Removed"; }},
    {"Isolated",
     [](auto& r) {
       step(r, 0)["pattern"] = {{"String", " "}};
     }},
    {"split pattern",
     [](auto& r) {
       step(r, 0)["pattern"] = {{"Regex", "(("}};
     }},
    {"use_regex", [](auto& r) { step(r, 1)["use_regex"] = true; }},
    {"post_processor",
     [](auto& r) {
       r["post_processor"] = {{"type", "TemplateProcessing"}};
     }},
    {"decoder", [](auto& r) { r["decoder"] = nullptr; }},
    {"no model", [](auto& r) { r.erase("model"); }},
    {"model Unigram", [](auto& r) { model(r)["type"] = "Unigram"; }},
    {"byte_fallback", [](auto& r) { model(r)["byte_fallback"] = true; }},
    {"dropout", [](auto& r) { model(r)["dropout"] = 0.1; }},
    {"end_of_word_suffix", [](auto& r) { model(r)["end_of_word_suffix"] = "</w>"; }},
    {"vocab is not", [](auto& r) { model(r)["vocab"] = json::array(); }},
    {"merges is not", [](auto& r) { model(r)["merges"] = nullptr; }},
    {"no token for byte 33", [](auto& r) { vocab(r).erase("!"); }},
    {"has no id", [](auto& r) { vocab(r)["!"] = -1; }},
    {"has no id", [](auto& r) { vocab(r)["!"] = 1LL << 40; }},
    {"has no id", [](auto& r) { vocab(r)["!"] = 1e300; }},
    {"has no id", [](auto& r) { vocab(r)["!"] = "0"; }},
    {"id 1 is given to two tokens", [](auto& r) { vocab(r)["!"] = 1; }},
    {"merges[3]", [](auto& r) { merges(r)[3] = "nospace"; }},
    {"merges[3]", [](auto& r) { merges(r)[3] = "a b c"; }},
    {"merges[3]", [](auto& r) { merges(r)[3] = {"a"}; }},
    {"merges[3]",
     [](auto& r) {
       merges(r)[3] = {"a", 5};
     }},
    {"not in model.vocab", [](auto& r) { merges(r)[3] = "zzzz q"; }},
    {"not in model.vocab", [](auto& r) { vocab(r).erase("in"); }},
    {"added_tokens", [](auto& r) { r["added_tokens"] = "x"; }},
    {"has no id", [](auto& r) { r["added_tokens"].as_array()[0] = 5; }},
    {"no content",
     [](auto& r) {
       r["added_tokens"].as_array()[0] = {{"id", 5}};
     }},
    {"two tokens", [](auto& r) { r["added_tokens"].as_array()[0].as_object()["id"] = 0; }},
    {"lstrip", [](auto& r) { r["added_tokens"].as_array()[0].as_object()["lstrip"] = true; }},
    {"makes an added token",
     [](auto& r) {
       r["added_tokens"].as_array().push_back({{"id", vocab(r)["in"]}, {"content", "in"}});
     }},
    {"also an added token",
     [](auto& r) {
       r["added_tokens"].as_array().push_back({{"id", vocab(r)["!"]}, {"content", "!"}});
     }},
};

TEST(TokenizerFile, EachDamageIsNamedInOneLine) {
  ASSERT_TRUE(load_text(small_file()));
  for (const Damage& damage : kDamages) {
    json::object root = json::parse(small_file()).as_object();
    damage.apply(root);
    const auto tokenizer = load_text(json::serialize(root));
    ASSERT_FALSE(tokenizer) << damage.what;
    EXPECT_EQ(tokenizer.error().code, ErrorCode::model_invalid);
    EXPECT_THAT(tokenizer.error().message, HasSubstr("tokenizer.json"));
    EXPECT_THAT(tokenizer.error().message, HasSubstr(damage.what));
    EXPECT_EQ(tokenizer.error().message.find('\n'), std::string::npos);
  }
}

TEST(TokenizerFile, FilesThatAreNoTokenizersAreRefused) {
  for (const char* text : {"", "{", "null", "[]", "7", "{}", "\"x\"", "\xFF", "[[[["}) {
    const auto tokenizer = load_text(text);
    ASSERT_FALSE(tokenizer) << text;
    EXPECT_EQ(tokenizer.error().code, ErrorCode::model_invalid);
  }
  EXPECT_FALSE(load_text(std::string(100000, '[')));
  const auto missing = Tokenizer::load("/does/not/exist");
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, HasSubstr("/does/not/exist/tokenizer.json"));
}

TEST(TokenizerFile, TheConfigCanAddTokens) {
  const auto tokenizer = load_text(
      small_file(), R"({"added_tokens_decoder": {"1782": {"content": "<|new|>", "special": true},
                                                 "1757": {"content": "<|im_start|>"}}})");
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->added_tokens().size(), 27);
  EXPECT_EQ(tokenizer->find_added("<|new|>"), 1782);
  EXPECT_TRUE(tokenizer->is_special(1782));
  EXPECT_TRUE(tokenizer->is_special(1757));
  EXPECT_EQ(tokenizer->encode("a<|new|>")->back(), 1782);
  for (const char* config : {R"({"added_tokens_decoder": {"1782x": {"content": "a"}}})",
                             R"({"added_tokens_decoder": 1})",
                             R"({"added_tokens_decoder": {"3": {"content": "<|new|>"}}})"}) {
    const auto refused = load_text(small_file(), config);
    ASSERT_FALSE(refused) << config;
    EXPECT_THAT(refused.error().message, HasSubstr("tokenizer_config.json"));
  }
}

// Whatever a damaged file still says, nothing may crash: run under the sanitizers too.
TEST(TokenizerFile, DamagedBytesNeverCrash) {
  std::mt19937 random(1);
  int num_loaded = 0;
  for (int round = 0; round < 400; ++round) {
    std::string text = small_file();
    if (round % 4 == 0) {
      text.resize(random() % text.size());
    } else {
      for (int i = 0; i < 1 + round % 5; ++i) {
        text[random() % text.size()] = "\"{}[],:0-9 e\\\xFF"[random() % 14];
      }
    }
    const auto tokenizer = load_text(text);
    if (!tokenizer) continue;
    ++num_loaded;
    const auto ids = tokenizer->encode("Hello, \xF0\x9F <|im_end|> w\u00F6rld 123\n\n");
    if (ids) decode(*tokenizer, *ids);
  }
  EXPECT_GT(num_loaded, 0);
}

}  // namespace
}  // namespace tru::text
