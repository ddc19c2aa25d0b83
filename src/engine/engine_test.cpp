#include "engine/engine.h"

#include <gmock/gmock.h>

#include <boost/json.hpp>
#include <cmath>
#include <fstream>
#include <sstream>

namespace tru::engine {
namespace {

namespace json = boost::json;
using testing::ElementsAreArray;

const json::array& golden_cases() {
  static const json::value document = [] {
    std::ifstream file(TRU_TEST_DATA "/goldens.json");
    std::stringstream text;
    text << file.rdbuf();
    return json::parse(text.str());
  }();
  return document.at("cases").as_array();
}

const json::object& golden(std::string_view id) {
  for (const auto& value : golden_cases()) {
    if (value.at("id").as_string() == id) return value.as_object();
  }
  throw std::runtime_error("no such golden");
}

// A prompt that is there already, cut into segments of a given length.
class FixedPrompt : public PromptSource {
 public:
  FixedPrompt(std::vector<std::int32_t> ids, std::size_t segment)
      : ids_(std::move(ids)), segment_(segment) {}

  Result<std::optional<PromptSegment>> next(std::stop_token) override {
    if (given_ == ids_.size()) return std::nullopt;
    const std::size_t end = std::min(ids_.size(), given_ + segment_);
    PromptSegment segment;
    segment.ids.assign(ids_.begin() + given_, ids_.begin() + end);
    given_ = end;
    return segment;
  }

 private:
  std::vector<std::int32_t> ids_;
  std::size_t segment_;
  std::size_t given_ = 0;
};

struct Recorder : SequenceListener {
  void on_vision(std::int64_t) override {}
  void on_prefill(std::int64_t) override {}
  bool on_token(const GeneratedToken& token) override {
    tokens.push_back(token);
    if (stop_after != 0 && tokens.size() == stop_after) return false;
    if (cancel_after != 0 && tokens.size() == cancel_after) cancel.request_stop();
    return true;
  }
  void on_finish(Result<Completion> result) override { completion = std::move(result); }

  std::vector<std::int32_t> ids() const {
    std::vector<std::int32_t> values;
    for (const auto& token : tokens) values.push_back(token.id);
    return values;
  }

  std::size_t stop_after = 0;
  std::size_t cancel_after = 0;
  std::stop_source cancel;
  std::vector<GeneratedToken> tokens;
  std::optional<Result<Completion>> completion;
};

class EngineTest : public testing::Test {
 protected:
  void load(const std::string& name, EngineConfig config = {512, 512}) {
    auto opened = weights::Checkpoint::open(std::string(TRU_TEST_DATA "/models/") + name);
    ASSERT_TRUE(opened) << opened.error().message;
    auto checkpoint = std::make_shared<const weights::Checkpoint>(std::move(*opened));
    auto device = tensor::Device::open("cpu", 2);
    ASSERT_TRUE(device) << device.error().message;
    device_ = std::make_unique<tensor::Device>(std::move(*device));
    auto model = model::qwen3vl::Model::load(checkpoint, *device_, weights::WeightFormat::f32);
    ASSERT_TRUE(model) << model.error().message;
    model_ = std::move(*model);
    auto engine = Engine::create(*model_, *device_, config);
    ASSERT_TRUE(engine) << engine.error().message;
    engine_ = std::make_unique<Engine>(std::move(*engine));
  }

  Request request(const std::string& id, Recorder& recorder, std::size_t segment = 1000) {
    Request request;
    request.prompt = std::make_unique<FixedPrompt>(
        json::value_to<std::vector<std::int32_t>>(golden(id).at("prompt_token_ids")), segment);
    request.sampling.temperature = 0;
    request.max_tokens = 24;
    request.top_logprobs = 20;
    request.listener = &recorder;
    request.stop = recorder.cancel.get_token();
    return request;
  }

  void run() {
    while (engine_->step()) {
    }
  }

  std::unique_ptr<tensor::Device> device_;
  std::unique_ptr<model::qwen3vl::Model> model_;
  std::unique_ptr<Engine> engine_;
};

void expect_golden(const std::string& id, const Recorder& recorder) {
  ASSERT_TRUE(recorder.completion && *recorder.completion) << id;
  const auto& expected = golden(id);
  EXPECT_THAT(
      recorder.ids(),
      ElementsAreArray(json::value_to<std::vector<std::int32_t>>(expected.at("greedy").at("ids"))))
      << id;
  const auto& top = expected.at("first_token_top20");
  const auto ids = json::value_to<std::vector<std::int32_t>>(top.at("ids"));
  const auto logprobs = json::value_to<std::vector<double>>(top.at("logprobs"));
  const auto& listed = recorder.tokens.at(0).top_logprobs;
  ASSERT_EQ(listed.size(), 20u);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(listed[i].id, ids[i]) << id << " rank " << i;
    EXPECT_NEAR(listed[i].logprob, logprobs[i], 2e-4) << id << " rank " << i;
  }
}

TEST_F(EngineTest, TextGoldensOfEveryModel) {
  const std::pair<const char*, const char*> cases[] = {{"dense-tied", "text-only"},
                                                       {"dense-sharded", "text-system"},
                                                       {"moe", "text-moe"},
                                                       {"deepstack4", "text-deepstack4"}};
  for (const auto& [name, id] : cases) {
    load(name);
    Recorder recorder;
    engine_->submit(request(id, recorder));
    run();
    expect_golden(id, recorder);
  }
}

TEST_F(EngineTest, ChunksAndSegmentsDoNotChangeTheAnswer) {
  load("dense-sharded", {512, 5});
  for (const std::size_t segment : {1, 3, 1000}) {
    Recorder recorder;
    engine_->submit(request("text-system", recorder, segment));
    run();
    expect_golden("text-system", recorder);
  }
}

TEST_F(EngineTest, QueuedRequestsRunOneAfterAnother) {
  load("dense-tied");
  Recorder first, second;
  engine_->submit(request("text-only", first));
  engine_->submit(request("text-only", second));
  run();
  expect_golden("text-only", first);
  expect_golden("text-only", second);
  EXPECT_EQ((*second.completion)->finish_reason, FinishReason::length);
  EXPECT_EQ((*second.completion)->num_prompt_tokens, 18);
  EXPECT_EQ((*second.completion)->num_completion_tokens, 24);
}

TEST_F(EngineTest, StopsAtAStopTokenOrWhenTheListenerHasEnough) {
  load("dense-tied");
  Recorder recorder;
  Request with_eos = request("text-only", recorder);
  with_eos.stop_token_ids = {826};  // the sixth token of the golden
  engine_->submit(std::move(with_eos));
  run();
  EXPECT_EQ(recorder.tokens.size(), 6u);
  EXPECT_EQ((*recorder.completion)->finish_reason, FinishReason::stop);

  Recorder satisfied;
  satisfied.stop_after = 3;
  engine_->submit(request("text-only", satisfied));
  run();
  EXPECT_EQ(satisfied.tokens.size(), 3u);
  EXPECT_EQ((*satisfied.completion)->finish_reason, FinishReason::stop);
}

TEST_F(EngineTest, CancelEndsARequestAndTheNextOneRuns) {
  load("dense-tied");
  Recorder cancelled, next;
  cancelled.cancel_after = 2;
  engine_->submit(request("text-only", cancelled));
  engine_->submit(request("text-only", next));
  run();
  EXPECT_EQ(cancelled.tokens.size(), 2u);
  ASSERT_FALSE(*cancelled.completion);
  EXPECT_EQ(cancelled.completion->error().code, ErrorCode::cancelled);
  expect_golden("text-only", next);
}

TEST_F(EngineTest, APromptBeyondTheContextIsRefusedAndAFullContextEndsTheAnswer) {
  load("dense-tied", {18, 512});
  Recorder overflow;
  engine_->submit(request("text-only", overflow));
  run();
  ASSERT_FALSE(*overflow.completion);
  EXPECT_EQ(overflow.completion->error().code, ErrorCode::context_overflow);
  EXPECT_THAT(overflow.completion->error().message, testing::HasSubstr("18"));

  load("dense-tied", {21, 512});
  Recorder full;
  engine_->submit(request("text-only", full));
  run();
  EXPECT_EQ((*full.completion)->finish_reason, FinishReason::length);
  EXPECT_EQ(full.tokens.size(), 4u);  // 18 + 3 stored, and the one that they lead to
}

TEST(Sampler, GreedyTopPAndSeeds) {
  const std::vector<float> logits = {0, 3, 1, 2.9f, -5};
  SamplingParams params;
  params.temperature = 0;
  EXPECT_EQ(Sampler(params).sample(logits, 0).id, 1);
  const auto token = Sampler(params).sample(logits, 3);
  EXPECT_EQ(token.top_logprobs[1].id, 3);
  double sum = 0;
  for (const float x : logits) sum += std::exp(x);
  EXPECT_NEAR(token.logprob, 3 - std::log(sum), 1e-6);

  params = {1.0, 0.5, 0, 7};  // the best token alone has less than half: two are in
  Sampler sampler(params);
  int counts[5] = {};
  for (int i = 0; i < 1000; ++i) ++counts[sampler.sample(logits, 0).id];
  EXPECT_EQ(counts[1] + counts[3], 1000);
  EXPECT_NEAR(counts[1], 525, 60);

  params = {1.0, 1.0, 1, 7};
  EXPECT_EQ(Sampler(params).sample(logits, 0).id, 1);
  params = {5.0, 1.0, 0, 42};
  Sampler a(params), b(params);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a.sample(logits, 0).id, b.sample(logits, 0).id);
}

TEST(LoopGuard, SeesLoopsButNotLists) {
  LoopGuard same;
  int until = 0;
  while (!same.add(5)) ++until;
  EXPECT_EQ(until, 192);

  LoopGuard phrase;
  until = 0;
  while (!phrase.add(until % 40)) ++until;
  EXPECT_EQ(until + 1, 40 + 7 * 40);

  LoopGuard counting;  // "1. a 2. a 3. a": a list that goes on is no loop
  for (int i = 0; i < 5000; ++i) {
    EXPECT_FALSE(counting.add(i % 4 == 0 ? 1000 + i : i % 4));
  }
}

}  // namespace
}  // namespace tru::engine
