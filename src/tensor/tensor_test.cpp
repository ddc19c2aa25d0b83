#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <functional>
#include <stop_token>
#include <utility>
#include <vector>

#include "tensor/attention.h"
#include "tensor/device.h"
#include "tensor/experts.h"
#include "tensor/graph.h"
#include "tensor/inner_linear.h"
#include "tensor/linear.h"
#include "tensor/rotary.h"

namespace tru::tensor {
namespace {

TEST(Device, OpensTheCpuAndNamesWhatThereIs) {
  const auto device = Device::open("cpu", 2);
  ASSERT_TRUE(device) << device.error().message;
  EXPECT_TRUE(device->is_cpu());
  EXPECT_EQ(device->threads(), 2);
  EXPECT_GT(device->info().memory_total_bytes, 0u);
  const auto wrong = Device::open("abacus", 1);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::config_invalid);
  EXPECT_THAT(wrong.error().message, testing::HasSubstr("auto, CPU"));
  EXPECT_FALSE(Device::open("cpu", -1));
  EXPECT_FALSE(missing_gpu()) << "there is no back end for one";
}

TEST(Graph, MultipliesAndReusesItsWorkspace) {
  auto device = Device::open("cpu", 1);
  ASSERT_TRUE(device);
  Workspace workspace(*device);
  const std::vector<float> a = {1, 2, 3, 4, 5, 6};  // 2 rows of 3
  const std::vector<float> b = {1, 0, -1};
  for (int round = 0; round < 3; ++round) {
    Graph graph(workspace);
    const std::int64_t a_shape[] = {3, 2}, b_shape[] = {3, 1};
    ggml_tensor* left = graph.input(GGML_TYPE_F32, a_shape, a.data());
    ggml_tensor* right = graph.input(GGML_TYPE_F32, b_shape, b.data());
    ggml_tensor* product = ggml_mul_mat(graph.context(), left, right);
    graph.output(product);
    ASSERT_TRUE(graph.run({}));
    EXPECT_THAT(graph.read(product), testing::ElementsAre(-2, -2));
  }
}

TEST(Graph, AStopRequestEndsTheRun) {
  auto device = Device::open("cpu", 1);
  ASSERT_TRUE(device);
  Workspace workspace(*device);
  Graph graph(workspace);
  const std::vector<float> a(4, 1.0f);
  const std::int64_t shape[] = {4};
  ggml_tensor* sum = ggml_sqr(graph.context(), graph.input(GGML_TYPE_F32, shape, a.data()));
  graph.output(sum);
  std::stop_source stop;
  stop.request_stop();
  const Status status = graph.run(stop.get_token());
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::cancelled);
}

std::vector<float> waves(std::size_t count, float step) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = std::sin(step * static_cast<float>(i));
  return values;
}

// Two key heads for four query heads, keys and values in f16, two batches: as ggml's operator.
void expect_attention_as_ggml(std::int64_t rows, std::int64_t keys, float tolerance) {
  auto device = Device::open("cpu", 2);
  ASSERT_TRUE(device);
  constexpr std::int64_t kDim = 32, kHeads = 4, kKeyHeads = 2, kBatches = 2;
  const auto q = waves(static_cast<std::size_t>(kDim * kHeads * rows * kBatches), 0.37f);
  std::vector<ggml_fp16_t> k(static_cast<std::size_t>(kDim * kKeyHeads * keys * kBatches)),
      v(k.size());
  ggml_fp32_to_fp16_row(waves(k.size(), 0.71f).data(), k.data(), static_cast<int64_t>(k.size()));
  ggml_fp32_to_fp16_row(waves(v.size(), 1.3f).data(), v.data(), static_cast<int64_t>(v.size()));
  Workspace workspace(*device);
  Graph graph(workspace);
  const std::int64_t q_shape[] = {kDim, kHeads, rows, kBatches};
  const std::int64_t k_shape[] = {kDim, kKeyHeads, keys, kBatches};
  ggml_tensor* queries = graph.input(GGML_TYPE_F32, q_shape, q.data());
  ggml_tensor* key_rows = graph.input(GGML_TYPE_F16, k_shape, k.data());
  ggml_tensor* values = graph.input(GGML_TYPE_F16, k_shape, v.data());
  const auto by_head = [&](ggml_tensor* x) { return ggml_permute(graph.context(), x, 0, 2, 1, 3); };
  ggml_tensor* expected =
      ggml_attention(graph, by_head(queries), by_head(key_rows), by_head(values), nullptr);
  ggml_tensor* ours = attention(graph, queries, key_rows, values, {});
  graph.output(ours);
  graph.output(expected);
  ASSERT_TRUE(graph.run({}));
  EXPECT_THAT(graph.read(ours),
              testing::Pointwise(testing::FloatNear(tolerance), graph.read(expected)));
}

TEST(Attention, AgreesWithGgml) {
  expect_attention_as_ggml(15, 64, 5e-3f);
}

// One row, whose keys are shared among threads in parts. (ggml adds up in f16.)
TEST(Attention, OfOneRowAgreesWithGgml) {
  for (const std::int64_t keys : {1, 64, 1000}) expect_attention_as_ggml(1, keys, 1e-3f);
}

// As a GPU computes heads of sizes that its fused operator lacks; the mask hides keys of each row.
TEST(Attention, IsTheSameWithoutTheFusedOperator) {
  auto device = Device::open("cpu", 2);
  ASSERT_TRUE(device);
  constexpr std::int64_t kDim = 32, kHeads = 4, kKeyHeads = 2, kRows = 5, kKeys = 64;
  const auto q = waves(kDim * kHeads * kRows, 0.37f);
  std::vector<ggml_fp16_t> k(kDim * kKeyHeads * kKeys), v(k.size()), mask(kKeys * kRows);
  ggml_fp32_to_fp16_row(waves(k.size(), 0.71f).data(), k.data(), static_cast<int64_t>(k.size()));
  ggml_fp32_to_fp16_row(waves(v.size(), 1.3f).data(), v.data(), static_cast<int64_t>(v.size()));
  for (std::int64_t i = 0; i < kKeys * kRows; ++i) {
    const bool hidden = i % kKeys > 20 + i / kKeys;
    mask[static_cast<std::size_t>(i)] = ggml_fp32_to_fp16(hidden ? -INFINITY : 0);
  }
  Workspace workspace(*device);
  Graph graph(workspace);
  const auto by_head = [&](ggml_type type, std::int64_t heads, std::int64_t rows, const void* x) {
    const std::int64_t shape[] = {kDim, heads, rows};
    return ggml_permute(graph.context(), graph.input(type, shape, x), 0, 2, 1, 3);
  };
  ggml_tensor* queries = by_head(GGML_TYPE_F32, kHeads, kRows, q.data());
  ggml_tensor* keys = by_head(GGML_TYPE_F16, kKeyHeads, kKeys, k.data());
  ggml_tensor* values = by_head(GGML_TYPE_F16, kKeyHeads, kKeys, v.data());
  const std::int64_t mask_shape[] = {kKeys, kRows};
  ggml_tensor* shown = graph.input(GGML_TYPE_F16, mask_shape, mask.data());
  ggml_tensor* fused = ggml_attention(graph, queries, keys, values, shown);
  ASSERT_EQ(fused->op, GGML_OP_FLASH_ATTN_EXT);
  ggml_tensor* unfused = unfused_attention(graph, queries, keys, values, shown);
  ASSERT_TRUE(ggml_are_same_shape(fused, unfused));
  graph.output(fused);
  graph.output(unfused);
  ASSERT_TRUE(graph.run({}));
  EXPECT_THAT(graph.read(unfused),
              testing::Pointwise(testing::FloatNear(5e-3f), graph.read(fused)));
}

// The same numbers as a plain matrix and packed.
struct BothWays {
  BothWays(const Device& device, std::int64_t rows, std::int64_t columns)
      : context(make_context(2)) {
    const MatrixType int8{GGML_TYPE_Q8_0, PackedFormat::int8};
    packed = new_matrix(context.get(), int8, rows, columns);
    plain = new_matrix(context.get(), {GGML_TYPE_F32, {}}, rows, columns);
    buffer = device.allocate(context.get()).value();
    const auto weights = waves(static_cast<std::size_t>(rows * columns), 0.59f);
    ggml_backend_tensor_set(plain.tensor, weights.data(), 0, ggml_nbytes(plain.tensor));
    const PackedShape shape = packed.packed_shape();
    for (std::int64_t panel = 0; panel < shape.panels(); ++panel) {
      const std::int64_t row = panel * kPanelRows;
      pack_panel(shape, &weights[static_cast<std::size_t>(row * columns)],
                 std::min(kPanelRows, rows - row),
                 static_cast<std::byte*>(packed.tensor->data) +
                     panel * static_cast<std::int64_t>(shape.panel_bytes()));
    }
  }
  ContextPtr context;
  BufferPtr buffer;
  Matrix plain, packed;
};

// Layers that share an input, over several threads and dimensions: each as the product alone.
TEST(Linear, AsAGraphOperator) {
  auto device = Device::open("cpu", 3);
  ASSERT_TRUE(device);
  constexpr std::int64_t kRows = 200, kColumns = 130;
  const BothWays weights(*device, kRows, kColumns);
  const auto x = waves(kColumns * 7 * 3, 0.83f);
  const auto bias = waves(kRows, 1.1f);
  const auto addend = waves(kRows * 7 * 3, 0.31f);
  Workspace workspace(*device);
  Graph graph(workspace);
  const std::int64_t x_shape[] = {kColumns, 7, 3}, bias_shape[] = {kRows};
  const std::int64_t y_shape[] = {kRows, 7, 3};
  const Rows input(graph, graph.input(GGML_TYPE_F32, x_shape, x.data()));
  ggml_tensor* added = graph.input(GGML_TYPE_F32, bias_shape, bias.data());
  ggml_tensor* residual = graph.input(GGML_TYPE_F32, y_shape, addend.data());
  ggml_tensor* expected = linear(graph, weights.plain, added, input, residual);
  ggml_tensor* first = linear(graph, weights.packed, added, input, residual);
  ggml_tensor* second = linear(graph, weights.packed, nullptr, input);
  for (ggml_tensor* output : {expected, first, second}) graph.output(output);
  ASSERT_TRUE(graph.run({}));
  EXPECT_TRUE(ggml_are_same_shape(first, expected));
  EXPECT_THAT(graph.read(first),
              testing::Pointwise(testing::FloatNear(0.3f), graph.read(expected)));
  const auto with_both = graph.read(first), without = graph.read(second);
  for (std::size_t i = 0; i < without.size(); ++i) {
    ASSERT_NEAR(without[i] + bias[i % kRows] + addend[i], with_both[i], 1e-5);
  }
}

// Norms and activations: as tensors of their own, and within the packed layer that reads them.
TEST(Rows, AreTheSameForPlainAndPackedLayers) {
  auto device = Device::open("cpu", 2);
  ASSERT_TRUE(device);
  constexpr std::int64_t kRows = 48, kColumns = 130, kCount = 31;
  const BothWays weights(*device, kRows, kColumns);
  const auto x = waves(kColumns * kCount, 0.83f), second = waves(kColumns * kCount, 0.47f);
  using Make = std::function<Rows(Graph&, ggml_tensor*, ggml_tensor*, ggml_tensor*)>;
  const Make makes[] = {
      [](Graph& g, ggml_tensor* a, ggml_tensor*, ggml_tensor*) { return Rows::gelu_tanh(g, a); },
      [](Graph& g, ggml_tensor* a, ggml_tensor*, ggml_tensor*) { return Rows::gelu_erf(g, a); },
      [](Graph& g, ggml_tensor* a, ggml_tensor* b, ggml_tensor*) { return Rows::swiglu(g, a, b); },
      [](Graph& g, ggml_tensor* a, ggml_tensor*, ggml_tensor* w) {
        return Rows::rms_norm(g, a, w, 1e-6f);
      },
      [](Graph& g, ggml_tensor* a, ggml_tensor*, ggml_tensor* w) {
        return Rows::layer_norm(g, a, w, w, 1e-6f);
      }};
  Workspace workspace(*device);
  for (const Make& make : makes) {
    std::vector<float> results[2];
    for (const bool packed : {false, true}) {
      Graph graph(workspace);
      const std::int64_t shape[] = {kColumns, kCount}, row[] = {kColumns};
      const Rows rows = make(graph, graph.input(GGML_TYPE_F32, shape, x.data()),
                             graph.input(GGML_TYPE_F32, shape, second.data()),
                             graph.input(GGML_TYPE_F32, row, second.data()));
      ggml_tensor* y = linear(graph, packed ? weights.packed : weights.plain, nullptr, rows);
      graph.output(y);
      ASSERT_TRUE(graph.run({}));
      results[packed] = graph.read(y);
    }
    EXPECT_THAT(results[1], testing::Pointwise(testing::FloatNear(0.3f), results[0]))
        << "prologue " << (&make - makes);
  }
}

// The inner layers of an MLP, computed part by part or each as a whole: the same bits.
TEST(InnerLinear, IsLikeItsSteps) {
  auto device = Device::open("cpu", 2);
  ASSERT_TRUE(device);
  constexpr std::int64_t kInner = 600, kColumns = 130, kCount = 400;
  const BothWays gate(*device, kInner, kColumns), up(*device, kInner, kColumns);
  const BothWays outer(*device, 48, kInner);
  const auto x = waves(kColumns * kCount, 0.83f), bias = waves(kInner, 0.47f);
  using Make = std::function<Rows(Graph&, const Rows&, ggml_tensor*)>;
  const Matrix& g = gate.packed;
  const std::pair<Make, Make> makes[] = {
      {[&](Graph& graph, const Rows& r, ggml_tensor* b) {
         return linear_gelu_tanh(graph, g, b, r);
       },
       [&](Graph& graph, const Rows& r, ggml_tensor* b) {
         return Rows::gelu_tanh(graph, linear(graph, g, b, r));
       }},
      {[&](Graph& graph, const Rows& r, ggml_tensor* b) { return linear_gelu_erf(graph, g, b, r); },
       [&](Graph& graph, const Rows& r, ggml_tensor* b) {
         return Rows::gelu_erf(graph, linear(graph, g, b, r));
       }},
      {[&](Graph& graph, const Rows& r, ggml_tensor*) {
         return linear_swiglu(graph, g, up.packed, r);
       },
       [&](Graph& graph, const Rows& r, ggml_tensor*) {
         return Rows::swiglu(graph, linear(graph, g, nullptr, r),
                             linear(graph, up.packed, nullptr, r));
       }}};
  Workspace workspace(*device);
  for (const auto& [in_parts, in_steps] : makes) {
    std::vector<float> results[2];
    for (const bool parts : {false, true}) {
      Graph graph(workspace);
      const std::int64_t shape[] = {kColumns, kCount}, row[] = {kInner};
      const Rows rows(graph, graph.input(GGML_TYPE_F32, shape, x.data()));
      ggml_tensor* b = graph.input(GGML_TYPE_F32, row, bias.data());
      const Rows inner = parts ? in_parts(graph, rows, b) : in_steps(graph, rows, b);
      EXPECT_EQ(inner.quantized()->src[1] == g.tensor, parts);
      ggml_tensor* y = linear(graph, outer.packed, nullptr, inner);
      graph.output(y);
      ASSERT_TRUE(graph.run({}));
      results[parts] = graph.read(y);
    }
    EXPECT_EQ(results[0], results[1]);
  }
}

// Packed experts, and what they make of some tokens.
class Experts {
 public:
  static constexpr std::int64_t kExperts = 7, kHidden = 320, kInner = 576, kChosen = 3;

  Experts(Device& device, PackedFormat format) : device_(device), context_(make_context(256)) {
    const MatrixType type{GGML_TYPE_Q8_0, format};
    const auto add = [&](std::int64_t rows, std::int64_t columns) {
      return new_expert_matrices(context_.get(), type, kExperts, rows, columns);
    };
    mlps_ = {add(2 * kInner, kHidden), add(kHidden, kInner)};
    buffer_ = device.allocate(context_.get()).value();
    fill(mlps_.gate_up, 0.59f);
    fill(mlps_.down, 0.37f);
  }

  // All tokens together: [tokens, hidden].
  std::vector<float> mixed(std::int64_t tokens) const {
    const auto x = inputs(tokens), score = scores(tokens), addend = addends(tokens);
    Workspace workspace(device_);
    Graph graph(workspace);
    ggml_context* context = graph.context();
    const std::int64_t shape[] = {kHidden, tokens}, score_shape[] = {kExperts, tokens};
    ggml_tensor* all = graph.input(GGML_TYPE_F32, score_shape, score.data());
    ggml_tensor* chosen = ggml_argsort_top_k(context, all, kChosen);
    ggml_tensor* weights =
        ggml_get_rows(context, ggml_reshape_3d(context, all, 1, kExperts, tokens), chosen);
    ggml_tensor* y = mixture_of_experts(
        graph, mlps_, {chosen, ggml_reshape_2d(context, weights, kChosen, tokens)},
        graph.input(GGML_TYPE_F32, shape, x.data()),
        graph.input(GGML_TYPE_F32, shape, addend.data()));
    graph.output(y);
    EXPECT_TRUE(graph.run({}));
    return graph.read(y);
  }

  // The same, by each expert's layers.
  std::vector<float> one_by_one(std::int64_t tokens) const {
    const auto score = scores(tokens);
    std::vector<float> sums = addends(tokens);
    for (std::int64_t expert = 0; expert < kExperts; ++expert) {
      const std::vector<float> y = run(expert, tokens);
      for (std::int64_t token = 0; token < tokens; ++token) {
        const float* of_token = &score[static_cast<std::size_t>(token * kExperts)];
        const float weight = of_token[expert];
        const auto better = std::count_if(of_token, of_token + kExperts,
                                          [&](float other) { return other > weight; });
        if (better >= kChosen) continue;
        for (std::int64_t i = token * kHidden; i < (token + 1) * kHidden; ++i) {
          sums[static_cast<std::size_t>(i)] += weight * y[static_cast<std::size_t>(i)];
        }
      }
    }
    return sums;
  }

 private:
  static std::vector<float> inputs(std::int64_t tokens) {
    return waves(static_cast<std::size_t>(tokens * kHidden), 0.83f);
  }
  static std::vector<float> scores(std::int64_t tokens) {
    return waves(static_cast<std::size_t>(tokens * kExperts), 1.7f);
  }
  static std::vector<float> addends(std::int64_t tokens) {
    return waves(static_cast<std::size_t>(tokens * kHidden), 0.21f);
  }

  static void fill(const ExpertMatrices& matrices, float step) {
    const auto panel_values = static_cast<std::size_t>(kPanelRows * matrices.columns);
    const auto values =
        waves(static_cast<std::size_t>(kExperts * matrices.rows * matrices.columns), step);
    auto* panel = static_cast<std::byte*>(matrices.tensor->data);
    for (std::size_t at = 0; at < values.size(); at += panel_values) {
      pack_panel(matrices.packed_shape(), &values[at], kPanelRows, panel);
      panel += matrices.packed_shape().panel_bytes();
    }
  }

  // The i-th of the matrices of some rows that follow each other.
  Matrix layer(const ExpertMatrices& matrices, std::int64_t rows, std::int64_t i) const {
    Matrix matrix{nullptr, rows, matrices.columns, matrices.packed};
    const std::size_t bytes = matrix.packed_shape().bytes();
    matrix.tensor = ggml_view_1d(context_.get(), matrices.tensor, static_cast<std::int64_t>(bytes),
                                 static_cast<std::size_t>(i) * bytes);
    ggml_backend_view_init(matrix.tensor);
    return matrix;
  }

  std::vector<float> run(std::int64_t expert, std::int64_t tokens) const {
    const auto x = inputs(tokens);
    Workspace workspace(device_);
    Graph graph(workspace);
    const std::int64_t shape[] = {kHidden, tokens};
    const Rows rows(graph, graph.input(GGML_TYPE_F32, shape, x.data()));
    const Rows inner = linear_swiglu(graph, layer(mlps_.gate_up, kInner, 2 * expert),
                                     layer(mlps_.gate_up, kInner, 2 * expert + 1), rows);
    ggml_tensor* y = linear(graph, layer(mlps_.down, kHidden, expert), nullptr, inner);
    graph.output(y);
    EXPECT_TRUE(graph.run({}));
    return graph.read(y);
  }

  Device& device_;
  ContextPtr context_;
  BufferPtr buffer_;
  ExpertMlps mlps_;
};

// From one token, which most experts do not see, to so many that an expert has several pieces.
TEST(Experts, AreSumsOfTheirLayers) {
  auto device = Device::open("cpu", 3);
  ASSERT_TRUE(device);
  for (const PackedFormat format : {PackedFormat::int8, PackedFormat::int4}) {
    const Experts experts(*device, format);
    for (const std::int64_t tokens : {1, 2, 7, 40, 1000}) {
      EXPECT_THAT(experts.mixed(tokens),
                  testing::Pointwise(testing::FloatNear(1e-4f), experts.one_by_one(tokens)))
          << tokens << " tokens";
    }
  }
}

// Whatever thread takes which piece.
TEST(Experts, GiveTheSameBitsEachTime) {
  auto one = Device::open("cpu", 1), three = Device::open("cpu", 3);
  ASSERT_TRUE(one && three);
  const Experts alone(*one, PackedFormat::int8), shared(*three, PackedFormat::int8);
  EXPECT_EQ(alone.mixed(200), shared.mixed(200));
}

// x[k] and x[k + pairs] as a complex number, times e^(i angle). Heads of x are parts of wider rows.
TEST(Rotary, TurnsPairsByTheirPositionsAngle) {
  auto device = Device::open("cpu", 2);
  ASSERT_TRUE(device);
  Workspace workspace(*device);
  constexpr std::int64_t kPairs = 8, kHeads = 3, kRows = 5, kBatches = 2, kWidth = 100;
  std::vector<std::int32_t> positions;
  for (int i = 0; i < 4 * kRows; ++i) positions.push_back(i * i % 23);
  std::vector<float> wavelengths, values;
  for (int k = 0; k < kPairs; ++k) wavelengths.push_back(std::pow(3.0f, static_cast<float>(k)));
  for (int i = 0; i < kWidth * kRows * kBatches; ++i) {
    values.push_back(std::sin(static_cast<float>(i)));
  }
  const std::array<int, 3> sections = {4, 2, 2};
  const std::vector<std::int64_t> axes_of[] = {{0, 0, 0, 0, 1, 1, 1, 1}, {0, 1, 2, 0, 1, 2, 0, 0}};
  for (const RotaryAxes axes : {RotaryAxes::halves, RotaryAxes::interleaved}) {
    Graph graph(workspace);
    const std::int64_t position_shape[] = {4 * kRows}, wavelength_shape[] = {kPairs};
    const std::int64_t shape[] = {kWidth, kRows, kBatches};
    ggml_tensor* rows = graph.input(GGML_TYPE_F32, shape, values.data());
    ggml_tensor* x =
        ggml_view_4d(graph.context(), rows, 2 * kPairs, kHeads, kRows, kBatches,
                     2 * kPairs * sizeof(float), rows->nb[1], rows->nb[2], 20 * sizeof(float));
    const Rotary rotary(graph, graph.input(GGML_TYPE_I32, position_shape, positions.data()),
                        graph.input(GGML_TYPE_F32, wavelength_shape, wavelengths.data()), axes,
                        sections);
    ggml_tensor* turned = rotary(x);
    graph.output(turned);
    ASSERT_TRUE(graph.run({}));
    const std::vector<float> out = graph.read(turned);
    for (std::int64_t i = 0; i < kHeads * kRows * kBatches * kPairs; ++i) {
      const std::int64_t k = i % kPairs, head = i / kPairs % kHeads;
      const std::int64_t row = i / kPairs / kHeads;  // of all batches
      const std::int64_t axis = axes_of[static_cast<int>(axes)][static_cast<std::size_t>(k)];
      const auto position = positions[static_cast<std::size_t>(axis * kRows + row % kRows)];
      const auto from = static_cast<std::size_t>(row * kWidth + 20 + head * 2 * kPairs + k);
      const std::complex<double> pair(values[from], values[from + kPairs]);
      const auto expected =
          pair * std::polar(1.0, static_cast<double>(position) /
                                     static_cast<double>(wavelengths[static_cast<std::size_t>(k)]));
      const auto at = static_cast<std::size_t>((row * kHeads + head) * 2 * kPairs + k);
      ASSERT_NEAR(out[at], expected.real(), 2e-6) << row << " " << head << " " << k;
      ASSERT_NEAR(out[at + kPairs], expected.imag(), 2e-6) << row << " " << head << " " << k;
    }
  }
}

}  // namespace
}  // namespace tru::tensor
