#include "model/qwen3vl/model.h"

#include <gmock/gmock.h>

#include <cmath>
#include <random>

#include "model/qwen3vl/cost.h"
#include "weights/test_gguf.h"

namespace tru::model::qwen3vl {
namespace {

using weights::WeightFormat;

// Logits after a few tokens, and what the weights took.
struct Outcome {
  std::vector<float> logits;
  std::size_t mapped_bytes = 0;
  std::size_t allocated_bytes = 0;
};

// model: a path, or the name of a test checkpoint.
Outcome run(const std::string& model_name, WeightFormat format, std::int64_t batch = 16) {
  const std::filesystem::path path =
      std::filesystem::path(TRU_TEST_DATA "/models") / model_name;  // a whole path stays itself
  auto opened = weights::Checkpoint::open(path.string());
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

// A test checkpoint with other widths and weights by chance.
void make_wide_checkpoint(const char* name,
                          const std::vector<std::pair<std::string, std::string>>& changes,
                          const std::filesystem::path& dir) {
  weights::copy_fixture(name, dir);
  std::string config = weights::read_file(dir / "config.json");
  for (const auto& [from, to] : changes) config.replace(config.find(from), from.size(), to);
  weights::write_file(dir / "config.json", config);
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0.0f, 0.08f);
  boost::json::object header;
  std::string data;
  for (const auto& spec : weights::expected_tensors(weights::load_model_config(dir).value())) {
    const std::size_t begin = data.size();
    for (std::size_t i = 0; i < spec.num_elements(); ++i)
      data += weights::GgufParts::raw(normal(random));
    header[spec.name] = {{"dtype", "F32"},
                         {"shape", boost::json::value_from(spec.shape)},
                         {"data_offsets", {begin, data.size()}}};
  }
  weights::write_file(dir / "model.safetensors",
                      weights::safetensors_bytes(boost::json::serialize(header), data));
}

// Blocks of GGUF files in ggml's products, against the numbers they stand for.
TEST(Model, ComputesOnEveryKindOfBlocks) {
  using weights::Dtype;
  const weights::TempDir dir;
  // Rows of 256, as ggml's larger blocks want them.
  make_wide_checkpoint("dense-tied",
                       {{R"("hidden_size": 64)", R"("hidden_size": 256)"},
                        {R"("out_hidden_size": 64)", R"("out_hidden_size": 256)"},
                        {R"("intermediate_size": 96)", R"("intermediate_size": 512)"}},
                       dir.path() / "hf");
  // tests/cli/test_gguf.py asks of the kinds that need no rows of 256.
  for (const Dtype dtype :
       {Dtype::q8_0, Dtype::q2_k, Dtype::q3_k, Dtype::q4_k, Dtype::q5_k, Dtype::q6_k}) {
    const std::string kind(weights::to_string(dtype));
    const std::string path =
        weights::make_gguf(dir.path() / "hf", dtype).write(dir.path() / kind).string();
    const Outcome own = run(path, WeightFormat::checkpoint);
    const double in_f32 = correlation(run(path, WeightFormat::f32).logits, own.logits);
    EXPECT_GE(in_f32, 0.999) << kind;
    EXPECT_GT(own.mapped_bytes, own.allocated_bytes) << kind;
    const Outcome fast = run(path, WeightFormat::int8_or_smaller);
    EXPECT_GE(correlation(fast.logits, own.logits), 0.99) << kind;
  }
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

// Those of safetensors, each transposed, and of GGUF files, where gate and up lie apart.
TEST(Model, PackedExpertsGiveNearlyTheSameLogits) {
  const weights::TempDir dir;
  make_wide_checkpoint("moe",
                       {{R"("hidden_size": 48)", R"("hidden_size": 128)"},
                        {R"("out_hidden_size": 48)", R"("out_hidden_size": 128)"},
                        {R"("moe_intermediate_size": 40)", R"("moe_intermediate_size": 320)"}},
                       dir.path() / "hf");
  const std::string hf = (dir.path() / "hf").string();
  const std::string gguf =
      weights::make_gguf(hf, weights::Dtype::q8_0).write(dir.path() / "gguf").string();
  for (const std::string& path : {hf, gguf}) {
    const auto exact = run(path, WeightFormat::f32).logits;
    const double int8 = correlation(exact, run(path, WeightFormat::int8).logits);
    const double one_by_one = correlation(exact, run(path, WeightFormat::int8, 1).logits);
    const double int4 = correlation(exact, run(path, WeightFormat::int4).logits);
    fmt::print("{}: int8 {:.5f}, token by token {:.5f}, int4 {:.5f}\n", path, int8, one_by_one,
               int4);
    EXPECT_GT(int8, 0.99) << path;
    EXPECT_GT(one_by_one, 0.99) << path;
    EXPECT_GT(int4, 0.5) << path;
    EXPECT_GT(int8, int4) << path;
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
  EXPECT_GT(converted_bytes(config, 4, 4), 3 * converted_bytes(config, 1, 1));
}

}  // namespace
}  // namespace tru::model::qwen3vl
