#include "model/qwen3vl/model.h"

#include <gmock/gmock.h>

#include <cmath>

#include "model/qwen3vl/cost.h"

namespace tru::model::qwen3vl {
namespace {

using weights::WeightFormat;

// Logits after a few tokens, and what the weights took.
struct Outcome {
  std::vector<float> logits;
  std::size_t mapped_bytes = 0;
  std::size_t allocated_bytes = 0;
};

Outcome run(const std::string& name, WeightFormat format, std::int64_t batch = 16) {
  auto opened = weights::Checkpoint::open(std::string(TRU_TEST_DATA "/models/") + name);
  auto device = tensor::Device::open("cpu", 2);
  auto model = Model::load(std::make_shared<const weights::Checkpoint>(std::move(opened.value())),
                           *device, format);
  auto cache = KvCache::create((*model)->kv_shape(), 64, *device);
  Outcome outcome;
  for (std::int64_t past = 0; past < 16; past += batch) {
    std::vector<std::int32_t> ids;
    Positions positions;
    for (std::int64_t i = past; i < std::min<std::int64_t>(past + batch, 16); ++i) {
      ids.push_back(static_cast<std::int32_t>(40 + 37 * i % 500));
      for (auto& axis : positions.axes) axis.push_back(static_cast<std::int32_t>(i));
    }
    Batch tokens{ids, &positions, {}, past, past + batch >= 16};
    auto logits = (*model)->language().forward(tokens, *cache, {});
    outcome.logits = std::move(logits.value());
  }
  outcome.mapped_bytes = (*model)->mapped_bytes();
  outcome.allocated_bytes = (*model)->allocated_bytes();
  return outcome;
}

// Of the centred logits: 1 when they rank and space tokens alike.
double correlation(const std::vector<float>& a, const std::vector<float>& b) {
  double mean_a = 0, mean_b = 0, ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    mean_a += a[i] / static_cast<double>(a.size());
    mean_b += b[i] / static_cast<double>(a.size());
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean_a) * (b[i] - mean_b);
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
  }
  return ab / std::sqrt(aa * bb);
}

TEST(Model, QuantisedWeightsGiveNearlyTheSameLogits) {
  for (const char* name : {"dense-tied", "dense-sharded"}) {
    const auto exact = run(name, WeightFormat::f32).logits;
    const double bf16 = correlation(exact, run(name, WeightFormat::bf16).logits);
    const double int8 = correlation(exact, run(name, WeightFormat::int8).logits);
    const double int4 = correlation(exact, run(name, WeightFormat::int4).logits);
    fmt::print("{}: bf16 {:.5f}, int8 {:.5f}, int4 {:.5f}\n", name, bf16, int8, int4);
    EXPECT_GT(bf16, 0.999) << name;
    EXPECT_GT(int8, 0.99) << name;
    EXPECT_GT(int4, 0.5) << name;  // networks of random numbers take rounding hard
    EXPECT_GT(int8, int4) << name;
  }
}

TEST(Model, BatchesDoNotChangeTheLogits) {
  for (const char* name : {"dense-tied", "moe"}) {
    const auto whole = run(name, WeightFormat::f32).logits;
    const auto pieces = run(name, WeightFormat::f32, 5).logits;
    for (std::size_t i = 0; i < whole.size(); ++i) ASSERT_NEAR(whole[i], pieces[i], 2e-4) << name;
  }
}

TEST(Model, OwnFormatIsMappedAndOthersAreConverted) {
  const Outcome own = run("dense-tied", WeightFormat::checkpoint);
  EXPECT_GT(own.mapped_bytes, 10 * own.allocated_bytes);
  const Outcome f32 = run("dense-sharded", WeightFormat::f32);
  EXPECT_GT(f32.allocated_bytes, 10 * f32.mapped_bytes);
}

TEST(Cost, GrowsWithWhatIsComputed) {
  const auto opened = weights::Checkpoint::open(TRU_TEST_DATA "/models/dense-tied");
  const auto& config = opened->config();
  const double one = vision_flop(config.vision, {1, 12, 20});
  EXPECT_NEAR(vision_flop(config.vision, {3, 12, 20}), 3 * one, one * 1e-9);
  EXPECT_GT(vision_flop(config.vision, {1, 24, 40}), 4 * one);  // attention is quadratic
  EXPECT_GT(prefill_flop(config.text, 200), 2 * prefill_flop(config.text, 100));
  EXPECT_GT(converted_bytes(config, 4.0), 3 * converted_bytes(config, 1.0));
}

}  // namespace
}  // namespace tru::model::qwen3vl
