#include "backend/native_backend.h"

#include <gmock/gmock.h>

namespace tru::backend {
namespace {

using testing::HasSubstr;

struct AnswerLog : AnswerListener {
  void on_progress(Stage stage, std::int64_t done, std::int64_t total) override {
    EXPECT_LE(done, total) << to_string(stage);
    last[stage] = done;
  }
  void on_text(std::string_view piece) override {
    text += piece;
    if (cancel_at_text) cancel.request_stop();
  }
  std::map<Stage, std::int64_t> last;
  std::string text;
  bool cancel_at_text = false;
  std::stop_source cancel;
};

class NativeBackendTest : public testing::Test {
 protected:
  void SetUp() override {
    NativeConfig config;
    config.model = TRU_TEST_DATA "/models/dense-tied";
    config.weights = "f32";
    config.max_context = 256;
    auto loaded = NativeBackend::load(config);
    ASSERT_TRUE(loaded) << loaded.error().message;
    backend_ = std::move(*loaded);
    params_.temperature = 0;
    params_.max_tokens = 12;
  }

  Result<Generation> answer(const std::string& question) {
    const std::vector<text::Message> messages = {{"user", {{text::PartKind::text, question, 0}}}};
    TRU_TRY(const auto prompt, backend_->build_prompt(messages, {}));
    return backend_->generate(*prompt, {}, params_, log_, log_.cancel.get_token());
  }

  std::unique_ptr<NativeBackend> backend_;
  GenerationParams params_;
  AnswerLog log_;
};

TEST_F(NativeBackendTest, StreamsExactlyTheAnswer) {
  const auto generation = answer("Hello");
  ASSERT_TRUE(generation) << generation.error().message;
  EXPECT_EQ(generation->text, log_.text);
  EXPECT_EQ(generation->finish_reason, "length");
  EXPECT_EQ(generation->usage.completion_tokens, 12);
  EXPECT_EQ(log_.last.at(Stage::prefill), generation->usage.prompt_tokens);
  EXPECT_EQ(log_.last.at(Stage::generate), 12);
  EXPECT_EQ(log_.last.count(Stage::vision), 0u);
  EXPECT_TRUE(generation->tokens.empty() && generation->prompt_token_ids.empty());
}

TEST_F(NativeBackendTest, TellsTokensWhenAsked) {
  params_.logprobs = true;
  params_.top_logprobs = 3;
  const auto generation = answer("Hello");
  ASSERT_EQ(generation->tokens.size(), 12u);
  std::string joined;
  for (const OutputToken& token : generation->tokens) {
    ASSERT_EQ(token.top_logprobs.size(), 3u);
    EXPECT_EQ(token.top_logprobs[0].id, token.id);  // greedy
    EXPECT_GE(token.top_logprobs[0].logprob, token.top_logprobs[1].logprob);
    joined += token.bytes;
  }
  EXPECT_EQ(generation->usage.prompt_tokens,
            static_cast<std::int64_t>(generation->prompt_token_ids.size()));
  EXPECT_THAT(joined, HasSubstr(generation->text.substr(0, 4)));
}

TEST_F(NativeBackendTest, AStopStringEndsTheAnswerBeforeIt) {
  const auto free = answer("Hello");
  ASSERT_TRUE(free);
  log_.text.clear();
  params_.stop = {free->text.substr(5, 4)};
  const auto cut = answer("Hello");
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->text, free->text.substr(0, free->text.find(params_.stop[0])));
  EXPECT_EQ(cut->text, log_.text);
  EXPECT_EQ(cut->finish_reason, "stop");
  EXPECT_LT(cut->usage.completion_tokens, 12);
}

TEST_F(NativeBackendTest, CancelsBetweenTokensAndAnswersAgain) {
  params_.max_tokens = 200;
  log_.cancel_at_text = true;
  const auto cancelled = answer("Hello");
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.error().code, ErrorCode::cancelled);
  log_.cancel_at_text = false;
  log_.cancel = std::stop_source();
  params_.max_tokens = 2;
  EXPECT_TRUE(answer("Hello"));
}

TEST_F(NativeBackendTest, APromptBeyondTheContextIsRefusedWithBothNumbers) {
  std::string words;
  for (int i = 0; i < 300; ++i) words += " word";
  const auto generation = answer(words);
  ASSERT_FALSE(generation);
  EXPECT_EQ(generation.error().code, ErrorCode::context_overflow);
  EXPECT_THAT(generation.error().message, HasSubstr("256"));
}

TEST(NativePlanner, RefusesAContextThatTheModelCannotHold) {
  NativeConfig config;
  config.model = TRU_TEST_DATA "/models/dense-tied";
  config.max_context = 1 << 24;
  const auto planner = NativePlanner::load(config);
  ASSERT_FALSE(planner);
  EXPECT_EQ(planner.error().code, ErrorCode::config_invalid);
  EXPECT_THAT(planner.error().message, HasSubstr("16777216"));
}

TEST(NativePlanner, EstimatesMoreForMore) {
  NativeConfig config;
  config.model = TRU_TEST_DATA "/models/dense-tied";
  auto planner = NativePlanner::load(config);
  ASSERT_TRUE(planner);
  const std::vector<text::Message> messages = {{"user", {{text::PartKind::video, "", 0}}}};
  const auto estimate = [&](int patches) {
    MediaShape shape{text::PartKind::video, {patches, 12, 20}, {}};
    for (int i = 0; i < patches; ++i) shape.timestamps_s.push_back(i);
    const auto prompt = planner->build_prompt(messages, {shape});
    return planner->estimate(**prompt, {shape}, 16).value();
  };
  const Estimate few = estimate(2), many = estimate(20);
  EXPECT_GT(*few.first_token_s, 0);
  EXPECT_GT(*many.first_token_s, 5 * *few.first_token_s);
  EXPECT_GT(*many.memory_bytes, *few.memory_bytes);
  EXPECT_GT(many.prompt_tokens, 20 * 60);
}

}  // namespace
}  // namespace tru::backend
