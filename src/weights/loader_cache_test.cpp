#include <gmock/gmock.h>

#include <chrono>
#include <cstring>

#include "weights/loader.h"
#include "weights/test_files.h"

namespace tru::weights {
namespace {

namespace fs = std::filesystem;

class LoaderCache : public testing::Test {
 protected:
  LoaderCache() {
    copy_fixture("dense-tied", model);
    config.dir = dir.path() / "cache";
    config.least_bytes = 0;
    config.least_free_bytes = 0;
  }

  struct Loaded {
    std::vector<std::byte> matrix;
    std::size_t allocated_bytes = 0;
  };

  // Loads one matrix and one norm.
  Loaded load(WeightFormat format) {
    auto opened = Checkpoint::open(model.string());
    auto device = tensor::Device::open("cpu", 2);
    EXPECT_TRUE(opened && device);
    const auto checkpoint = std::make_shared<const Checkpoint>(std::move(*opened));
    const std::string layer = "model.language_model.layers.0.";
    Loader loader(checkpoint, *device, format, config);
    const auto shape = checkpoint->tensor(layer + "self_attn.q_proj.weight")->shape;
    const auto matrix = loader.linear(layer + "self_attn.q_proj.weight", shape);
    const auto weights = loader.finish();
    EXPECT_TRUE(weights) << weights.error().message;
    Loaded loaded{std::vector<std::byte>(ggml_nbytes(matrix.tensor)), weights->allocated_bytes};
    ggml_backend_tensor_get(matrix.tensor, loaded.matrix.data(), 0, loaded.matrix.size());
    return loaded;
  }

  std::vector<fs::path> files() const {
    std::vector<fs::path> paths;
    for (const auto& entry : fs::directory_iterator(config.dir)) paths.push_back(entry.path());
    return paths;
  }

  TempDir dir;
  fs::path model = dir.path() / "model";
  WeightCacheConfig config;
};

TEST_F(LoaderCache, ASecondStartHasTheSameWeights) {
  const WeightCacheConfig kept = config;
  config = {};
  const Loaded plain = load(WeightFormat::int8);
  EXPECT_GT(plain.allocated_bytes, 0u);
  config = kept;
  for (int start = 0; start < 2; ++start) {
    const Loaded loaded = load(WeightFormat::int8);
    EXPECT_EQ(loaded.matrix, plain.matrix);
    EXPECT_EQ(loaded.allocated_bytes, 0u);
    EXPECT_EQ(files().size(), 1u);
  }
}

// The second start takes its weights from the file: what is written there is what it has.
TEST_F(LoaderCache, ADamagedFileIsMadeAgain) {
  const Loaded first = load(WeightFormat::int8);
  const fs::path file = files().at(0);
  const std::string whole = read_file(file);
  std::string changed = whole;
  changed[5000] = static_cast<char>(changed[5000] ^ 1);
  for (const std::string& damaged : {changed, whole.substr(0, 9000), std::string("x")}) {
    write_file(file, damaged);
    EXPECT_EQ(load(WeightFormat::int8).matrix, first.matrix);
    EXPECT_EQ(read_file(file), whole);
  }
}

TEST_F(LoaderCache, AChangedCheckpointIsConvertedAgain) {
  load(WeightFormat::int8);
  const fs::path before = files().at(0);
  const fs::path source = model / "model.safetensors";
  fs::last_write_time(source, fs::last_write_time(source) + std::chrono::seconds(1));
  load(WeightFormat::int8);
  ASSERT_EQ(files().size(), 1u) << "the old one goes";
  EXPECT_NE(files().at(0), before);
}

TEST_F(LoaderCache, FormatsAreKeptApart) {
  const Loaded int8 = load(WeightFormat::int8);
  const Loaded int4 = load(WeightFormat::int4);
  EXPECT_EQ(files().size(), 2u);
  EXPECT_EQ(load(WeightFormat::int8).matrix, int8.matrix);
  EXPECT_EQ(load(WeightFormat::int4).matrix, int4.matrix);
}

TEST_F(LoaderCache, SmallModelsAreNotKept) {
  config.least_bytes = WeightCacheConfig{}.least_bytes;
  EXPECT_GT(load(WeightFormat::int8).allocated_bytes, 0u);
  EXPECT_FALSE(fs::exists(config.dir));
}

}  // namespace
}  // namespace tru::weights
