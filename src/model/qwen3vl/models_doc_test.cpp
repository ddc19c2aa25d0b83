// docs/MODELS.md says how much memory each published size needs: computed here, from their
// configurations, so that the page cannot be wrong.
#include <gmock/gmock.h>

#include <fstream>

#include "model/qwen3vl/cost.h"
#include "tensor/linear.h"
#include "weights/published_configs.h"

namespace tru::model::qwen3vl {
namespace {

std::string row_of(const weights::PublishedSize& size) {
  const auto config =
      weights::parse_model_config({"published", weights::published_config(size), {}, {}, {}, {}});
  EXPECT_TRUE(config) << config.error().message;
  const auto gib = [&](const tensor::MatrixType& language, const tensor::MatrixType& vision) {
    const std::size_t bytes =
        converted_bytes(*config, language.bytes_per_weight(), vision.bytes_per_weight());
    return static_cast<double>(bytes) / (1 << 30);
  };
  const tensor::MatrixType bf16{GGML_TYPE_BF16, {}};
  const tensor::MatrixType int8{GGML_TYPE_Q8_0, tensor::PackedFormat::int8};
  const tensor::MatrixType int4{GGML_TYPE_Q4_0, tensor::PackedFormat::int4};
  const KvShape kv = kv_shape(config->text, weights::WeightFormat::checkpoint);
  return fmt::format("| `Qwen/Qwen3-VL-{}-Instruct` | {:.1f} | {:.1f} | {:.1f} | {:.1f} | {:.2f} |",
                     size.name, 1e-9 * static_cast<double>(size.num_parameters), gib(bf16, bf16),
                     gib(int8, int8), gib(int4, int8),
                     static_cast<double>(kv.bytes_per_token()) * 8192 / (1 << 30));
}

TEST(ModelsDoc, HasTheMemoryOfEveryPublishedSize) {
  std::ifstream file(TRU_DOCS "/MODELS.md");
  const std::string page(std::istreambuf_iterator<char>(file), {});
  for (const weights::PublishedSize& size : weights::kPublishedSizes) {
    EXPECT_THAT(page, testing::HasSubstr(row_of(size) + "\n"));
  }
}

}  // namespace
}  // namespace tru::model::qwen3vl
