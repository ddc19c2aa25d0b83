#include "backend/remote/answer_reader.h"

#include <gmock/gmock.h>

namespace tru::backend {
namespace {

class Heard : public AnswerListener {
 public:
  void on_progress(Stage stage, std::int64_t done, std::int64_t) override {
    if (stage == Stage::generate) tokens = done;
  }
  void on_text(std::string_view more) override { text += more; }
  void on_token(const OutputToken& token) override { ids.push_back(token.id); }

  std::int64_t tokens = 0;
  std::string text;
  std::vector<std::int32_t> ids;
};

class AnswerReaderTest : public testing::Test {
 protected:
  AnswerReader reader(const text::Tokenizer* tokenizer = nullptr) {
    return {params_, model_, tokenizer, 12, heard_};
  }

  static std::string chunk(const std::string& text, const std::string& more = "") {
    return R"({"model":"m","choices":[{"delta":{"content":")" + text + "\"}" + more + "}]}";
  }

  const std::string model_ = "m";
  AnswerReaderTest() { params_.max_tokens = 4; }

  GenerationParams params_;
  Heard heard_;
};

TEST_F(AnswerReaderTest, CollectsTheAnswer) {
  AnswerReader r = reader();
  EXPECT_TRUE(r.on_event(R"({"model":"m","choices":[{"delta":{"role":"assistant"}}]})"));
  EXPECT_FALSE(r.started());
  EXPECT_TRUE(r.on_event(chunk("one")));
  EXPECT_TRUE(r.on_event(chunk(" two", R"(,"token_ids":[7,8])")));
  EXPECT_TRUE(r.on_event(R"({"choices":[{"delta":{},"finish_reason":"length"}]})"));
  EXPECT_TRUE(r.on_event(R"({"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3,)"
                         R"("prompt_tokens_details":{"cached_tokens":5}}})"));
  EXPECT_FALSE(r.ended());
  EXPECT_TRUE(r.on_event("[DONE]"));
  EXPECT_TRUE(r.ended());
  const auto answer = r.finish();
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->text, "one two");
  EXPECT_EQ(heard_.text, "one two");
  EXPECT_EQ(heard_.tokens, 3);
  EXPECT_EQ(answer->finish_reason, "length");
  EXPECT_EQ(answer->usage.prompt_tokens, 9);
  EXPECT_EQ(answer->usage.completion_tokens, 3);
  EXPECT_EQ(answer->usage.cached_tokens, 5);
}

TEST_F(AnswerReaderTest, LogprobsByIdFromVllmAndFromLlamaServer) {
  params_.logprobs = true;
  const auto tokenizer = text::Tokenizer::load(TRU_TEST_DATA "/models/dense-tied");
  AnswerReader r = reader(&*tokenizer);
  EXPECT_TRUE(r.on_event(
      chunk("x", R"(,"logprobs":{"content":[{"token":"token_id:65","bytes":[1],"logprob":-1.5,)"
                 R"("top_logprobs":[{"token":"token_id:66","logprob":-2}]}]})")));
  EXPECT_TRUE(r.on_event(
      chunk("y", R"(,"logprobs":{"content":[{"id":67,"token":"y","bytes":[121],"logprob":0}]})")));
  EXPECT_TRUE(r.on_event(chunk("z", R"(,"finish_reason":"stop")")));
  const auto answer = r.finish();
  ASSERT_EQ(answer->tokens.size(), 2u);
  EXPECT_EQ(answer->tokens[0].id, 65);
  EXPECT_EQ(answer->tokens[0].bytes, tokenizer->bytes(65));
  EXPECT_FLOAT_EQ(answer->tokens[0].logprob, -1.5f);
  EXPECT_EQ(answer->tokens[0].top_logprobs[0].id, 66);
  EXPECT_THAT(heard_.ids, testing::ElementsAre(65, 67));
  EXPECT_EQ(answer->usage.prompt_tokens, 12);  // the server did not count

  AnswerReader without = reader();
  EXPECT_TRUE(without.on_event(
      chunk("y", R"(,"finish_reason":"stop","logprobs":{"content":[{"token":"y","bytes":[121],)"
                 R"("logprob":-1}]})")));
  EXPECT_EQ(without.finish()->tokens[0].bytes, "y");
}

TEST_F(AnswerReaderTest, WhatIsNoAnswer) {
  const auto error_of = [&](const std::string& data) {
    const Status status = reader().on_event(data);
    return status ? ErrorCode::internal : status.error().code;
  };
  for (const char* data : {"", "{", "[]", "7", R"({"model":"other"})", "{\"a\":\"\xff\"}"}) {
    EXPECT_EQ(error_of(data), ErrorCode::backend_protocol) << data;
  }
  EXPECT_EQ(error_of(R"({"error":{"code":500,"message":"EngineDead"}})"), ErrorCode::backend_error);
  EXPECT_EQ(error_of(R"({"error":"gone"})"), ErrorCode::backend_error);
  EXPECT_EQ(error_of(R"({"error":{"code":503}})"), ErrorCode::backend_unavailable);
  // Fields of other types are no fields.
  for (const char* data :
       {"{}", R"({"choices":7})", R"({"choices":[7]})", R"({"choices":[{"delta":[]}]})",
        R"({"choices":[{"delta":{"content":[]},"finish_reason":{},"logprobs":[]}],"usage":3})"}) {
    EXPECT_EQ(error_of(data), ErrorCode::internal) << data;
  }
  AnswerReader cut = reader();
  EXPECT_TRUE(cut.on_event(chunk("half an")));
  EXPECT_EQ(cut.finish().error().code, ErrorCode::backend_protocol);
}

TEST_F(AnswerReaderTest, EndsWithTheTokensThatWereAskedFor) {
  AnswerReader r = reader();
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(r.on_event(chunk("a")));
    EXPECT_FALSE(r.ended());
  }
  EXPECT_TRUE(r.on_event(chunk("a")));
  EXPECT_TRUE(r.ended());
  EXPECT_EQ(r.finish()->finish_reason, "length");
}

}  // namespace
}  // namespace tru::backend
