#include "weights/loader.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "weights/convert.h"
#include "weights/test_gguf.h"

namespace tru::weights {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class LoaderTest : public testing::Test {
 protected:
  void open(const char* name) { open(fixture(name)); }

  // The same as GGUF.
  void open_gguf(const char* name, Dtype dtype) {
    open(make_gguf(fixture(name), dtype).write(dir_.path()));
  }

  void open(const std::filesystem::path& model) {
    auto opened = Checkpoint::open(model.string());
    ASSERT_TRUE(opened) << opened.error().message;
    checkpoint_ = std::make_shared<const Checkpoint>(std::move(*opened));
    auto device = tensor::Device::open("cpu", 2);
    ASSERT_TRUE(device);
    device_ = std::make_unique<tensor::Device>(std::move(*device));
  }

  Loader loader(WeightFormat format) { return Loader(checkpoint_, *device_, format); }

  std::vector<float> in_file(const std::string& name) const {
    return to_f32(checkpoint_->tensor(name).value());
  }

  static std::vector<float> read(const ggml_tensor* tensor) {
    std::vector<float> values(static_cast<std::size_t>(ggml_nelements(tensor)));
    EXPECT_EQ(tensor->type, GGML_TYPE_F32);
    ggml_backend_tensor_get(tensor, values.data(), 0, ggml_nbytes(tensor));
    return values;
  }

  TempDir dir_;
  std::shared_ptr<const Checkpoint> checkpoint_;
  std::unique_ptr<tensor::Device> device_;
};

const std::string kLayer = "model.language_model.layers.0.";

TEST_F(LoaderTest, MapsWhatTheDeviceCanReadInPlace) {
  open("dense-tied");  // F32
  const std::string name = kLayer + "self_attn.q_proj.weight";
  const auto shape = checkpoint_->tensor(name)->shape;
  Loader own = loader(WeightFormat::checkpoint);
  const ggml_tensor* matrix = own.linear(name, shape).tensor;
  EXPECT_THAT(std::vector(matrix->ne, matrix->ne + 2), ElementsAre(shape[1], shape[0]));
  const auto weights = own.finish();
  ASSERT_TRUE(weights) << weights.error().message;
  EXPECT_EQ(read(matrix), in_file(name));
  EXPECT_EQ(matrix->data, static_cast<const void*>(checkpoint_->tensor(name)->data.data()));
  EXPECT_EQ(weights->mapped_bytes, ggml_nbytes(matrix));
  EXPECT_EQ(weights->allocated_bytes, 0u);
}

TEST_F(LoaderTest, ConvertsBetweenFormats) {
  open("dense-sharded");  // BF16
  const std::string name = kLayer + "mlp.down_proj.weight";
  const auto shape = checkpoint_->tensor(name)->shape;
  Loader f32 = loader(WeightFormat::f32);
  const ggml_tensor* exact = f32.linear(name, shape).tensor;
  const auto exact_weights = f32.finish();
  EXPECT_EQ(read(exact), in_file(name));
  EXPECT_EQ(exact_weights->mapped_bytes, 0u);
}

TEST_F(LoaderTest, PacksLinearLayersOnACpu) {
  open("dense-sharded");
  const std::string name = kLayer + "mlp.down_proj.weight";
  const auto shape = checkpoint_->tensor(name)->shape;
  Loader int8 = loader(WeightFormat::int8);
  const tensor::Matrix matrix = int8.linear(name, shape);
  const auto weights = int8.finish();
  ASSERT_TRUE(weights) << weights.error().message;
  const tensor::PackedShape packed = matrix.packed_shape();
  ASSERT_EQ(ggml_nbytes(matrix.tensor), packed.bytes());
  const auto in_file_values = in_file(name);
  std::vector<float> values(static_cast<std::size_t>(tensor::kPanelRows * shape[1]));
  for (std::int64_t row = 0; row < shape[0]; ++row) {
    const auto panel = static_cast<std::size_t>(row / tensor::kPanelRows) * packed.panel_bytes();
    tensor::unpack_panel(packed, static_cast<const std::byte*>(matrix.tensor->data) + panel,
                         values.data());
    const auto* ours = &values[static_cast<std::size_t>(row % tensor::kPanelRows * shape[1])];
    const auto* file = &in_file_values[static_cast<std::size_t>(row * shape[1])];
    const auto largest = [](float a, float b) { return std::fabs(a) < std::fabs(b); };
    const float step = std::fabs(*std::max_element(file, file + shape[1], largest)) / 127;
    for (std::int64_t i = 0; i < shape[1]; ++i) ASSERT_NEAR(ours[i], file[i], 0.501f * step);
  }
}

TEST_F(LoaderTest, TheVisionEncoderHasAtLeast8Bits) {
  open("dense-tied");
  const std::string layer = kLayer + "self_attn.q_proj.weight";
  const std::string block = "model.visual.blocks.0.attn.qkv.weight";
  const auto format = [&](WeightFormat weights, const std::string& name) {
    return loader(weights).linear(name, checkpoint_->tensor(name)->shape).packed;
  };
  EXPECT_EQ(format(WeightFormat::int4, layer), tensor::PackedFormat::int4);
  EXPECT_EQ(format(WeightFormat::int4, block), tensor::PackedFormat::int8);
  EXPECT_EQ(format(WeightFormat::int8, block), tensor::PackedFormat::int8);
}

TEST_F(LoaderTest, TiedEmbeddingsAreOneTensorUnlessPacked) {
  open("dense-tied");
  const std::string name = "model.language_model.embed_tokens.weight";
  const auto shape = checkpoint_->tensor(name)->shape;
  Loader own = loader(WeightFormat::checkpoint);
  EXPECT_EQ(own.table(name, shape[0], shape[1]), own.linear(name, shape).tensor);
  Loader int4 = loader(WeightFormat::int4);
  const ggml_tensor* table = int4.table(name, shape[0], shape[1]);
  EXPECT_TRUE(int4.linear(name, shape).packed);
  EXPECT_EQ(table->type, GGML_TYPE_F32);  // as in the file
}

TEST_F(LoaderTest, TransposesEveryExpert) {
  open("moe");
  const TextConfig& text = checkpoint_->config().text;
  const std::string name = kLayer + "mlp.experts";
  const std::int64_t experts = text.num_experts, rows = text.hidden_size,
                     columns = text.moe_intermediate_size;
  Loader f32 = loader(WeightFormat::f32);
  const ggml_tensor* tensor = f32.experts(name, experts, rows, columns).down.tensor;
  const auto weights = f32.finish();
  ASSERT_TRUE(weights) << weights.error().message;
  const auto ours = read(tensor), file = in_file(name + ".down_proj");
  ASSERT_EQ(ours.size(), static_cast<std::size_t>(experts * rows * columns));
  for (std::int64_t e = 0; e < experts; ++e) {
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < columns; ++c) {
        ASSERT_EQ(ours[static_cast<std::size_t>((e * rows + r) * columns + c)],
                  file[static_cast<std::size_t>((e * columns + c) * rows + r)])
            << e << " " << r << " " << c;
      }
    }
  }
}

TEST_F(LoaderTest, VectorsAndExactMatricesAreF32InEveryFormat) {
  open("moe");
  const TextConfig& text = checkpoint_->config().text;
  Loader int4 = loader(WeightFormat::int4);
  const ggml_tensor* norm = int4.vector(kLayer + "input_layernorm.weight", text.hidden_size);
  const ggml_tensor* router =
      int4.exact_linear(kLayer + "mlp.gate.weight", text.num_experts, text.hidden_size).tensor;
  const auto weights = int4.finish();
  ASSERT_TRUE(weights) << weights.error().message;
  EXPECT_EQ(read(norm), in_file(kLayer + "input_layernorm.weight"));
  EXPECT_EQ(read(router), in_file(kLayer + "mlp.gate.weight"));
}

TEST_F(LoaderTest, MapsBlocksOfGgufFilesAsTheyAre) {
  open_gguf("dense-tied", Dtype::q4_1);
  const std::string name = kLayer + "self_attn.q_proj.weight";
  const TensorView view = checkpoint_->tensor(name).value();
  EXPECT_EQ(view.dtype, Dtype::q4_1);
  for (const WeightFormat format : {WeightFormat::checkpoint, WeightFormat::int8_or_smaller}) {
    Loader own = loader(format);
    const tensor::Matrix matrix = own.linear(name, view.shape);
    const auto weights = own.finish();
    ASSERT_TRUE(weights) << weights.error().message;
    EXPECT_EQ(matrix.tensor->type, GGML_TYPE_Q4_1);
    EXPECT_EQ(matrix.tensor->data, static_cast<const void*>(view.data.data()));
    EXPECT_EQ(weights->allocated_bytes, 0u);
  }
  Loader f32 = loader(WeightFormat::f32);
  const tensor::Matrix exact = f32.linear(name, view.shape);
  const auto weights = f32.finish();
  EXPECT_EQ(read(exact.tensor), in_file(name));
}

TEST_F(LoaderTest, PacksWhatAGgufFileHasIn8Bits) {
  open_gguf("dense-tied", Dtype::q8_0);
  const std::string name = kLayer + "self_attn.q_proj.weight";
  EXPECT_EQ(checkpoint_->dtype(name), Dtype::q8_0);
  EXPECT_TRUE(loader(WeightFormat::int8_or_smaller).linear(name, {96, 64}).packed);
  EXPECT_FALSE(loader(WeightFormat::checkpoint).linear(name, {96, 64}).packed);
}

// Gate and up are two tensors there, and lie the other way round.
TEST_F(LoaderTest, LoadsTheSameExpertsFromGguf) {
  std::vector<std::vector<float>> gate_up, down;
  for (const bool is_gguf : {false, true}) {
    if (is_gguf) {
      open_gguf("moe", Dtype::f32);
    } else {
      open("moe");
    }
    const TextConfig& text = checkpoint_->config().text;
    Loader f32 = loader(WeightFormat::f32);
    const tensor::ExpertMlps experts = f32.experts(kLayer + "mlp.experts", text.num_experts,
                                                   text.hidden_size, text.moe_intermediate_size);
    const auto weights = f32.finish();
    ASSERT_TRUE(weights) << weights.error().message;
    gate_up.push_back(read(experts.gate_up.tensor));
    down.push_back(read(experts.down.tensor));
  }
  EXPECT_EQ(gate_up[0], gate_up[1]);
  EXPECT_EQ(down[0], down[1]);
}

// Widths that are no whole groups would be padded.
TEST_F(LoaderTest, PacksExpertsOfWholeGroupsOnly) {
  open("moe");
  const TextConfig& text = checkpoint_->config().text;
  Loader int8 = loader(WeightFormat::int8);
  const tensor::ExpertMlps experts = int8.experts(kLayer + "mlp.experts", text.num_experts,
                                                  text.hidden_size, text.moe_intermediate_size);
  EXPECT_FALSE(experts.gate_up.packed || experts.down.packed);
  EXPECT_EQ(experts.gate_up.tensor->type, GGML_TYPE_BF16);
}

TEST_F(LoaderTest, TellsTheFirstErrorAtTheEnd) {
  open("dense-tied");
  Loader f32 = loader(WeightFormat::f32);
  f32.vector("no.such.tensor", 4);
  f32.linear(kLayer + "self_attn.q_proj.weight", {3, 5});
  const auto weights = f32.finish();
  ASSERT_FALSE(weights);
  EXPECT_EQ(weights.error().code, ErrorCode::model_invalid);
  EXPECT_THAT(weights.error().message, HasSubstr("no.such.tensor"));
}

TEST(WeightFormat, NamesAreThoseOfTheFlag) {
  EXPECT_EQ(*parse_weight_format("auto"), WeightFormat::checkpoint);
  EXPECT_EQ(*parse_weight_format("int4"), WeightFormat::int4);
  const auto unknown = parse_weight_format("int3");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::config_invalid);
  EXPECT_THAT(unknown.error().message, HasSubstr("int3"));
}

}  // namespace
}  // namespace tru::weights
