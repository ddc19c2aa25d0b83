#include <gmock/gmock.h>

#include <cmath>
#include <stop_token>
#include <vector>

#include "tensor/device.h"
#include "tensor/graph.h"
#include "tensor/kernels/gelu.h"
#include "tensor/ops.h"

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

TEST(Gelu, MatchesTheFormulaInDoublePrecision) {
  for (const std::size_t count : {1u, 7u, 64u, 40001u}) {
    std::vector<float> x(count), y(count), expected(count);
    for (std::size_t i = 0; i < count; ++i) x[i] = -20.0f + 40.0f * i / count;
    gelu_tanh(x.data(), y.data(), count);
    gelu_tanh_reference(x.data(), expected.data(), count);
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_NEAR(y[i], expected[i], 4e-7 * std::max(1.0f, std::fabs(expected[i]))) << x[i];
    }
  }
  const float extremes[] = {-1e30f, 1e30f, 0.0f};
  float y[3];
  gelu_tanh(extremes, y, 3);
  EXPECT_NEAR(y[0], 0, 1e-6);
  EXPECT_EQ(y[1], 1e30f);
  EXPECT_EQ(y[2], 0);
}

TEST(Gelu, AsAGraphOperatorOverSeveralThreads) {
  auto device = Device::open("cpu", 2);
  ASSERT_TRUE(device);
  Workspace workspace(*device);
  Graph graph(workspace);
  std::vector<float> x(1003), expected(1003);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i)) * 5;
  gelu_tanh_reference(x.data(), expected.data(), x.size());
  const std::int64_t shape[] = {1003};
  ggml_tensor* y = gelu_tanh(graph, graph.input(GGML_TYPE_F32, shape, x.data()));
  graph.output(y);
  ASSERT_TRUE(graph.run({}));
  EXPECT_THAT(graph.read(y), testing::Pointwise(testing::FloatNear(2e-6f), expected));
}

}  // namespace
}  // namespace tru::tensor
