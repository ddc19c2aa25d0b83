#include "tensor/kernels/elementwise.h"

#include <gmock/gmock.h>

#include <cmath>
#include <string>
#include <vector>

namespace tru::tensor {
namespace {

class Elementwise : public testing::TestWithParam<CpuLevel> {
 protected:
  const ElementwiseKernels& kernels = elementwise_kernels(GetParam());
};

// The bound that elementwise.h states, for every length of a vector's rest, in place and not.
template <typename Kernel, typename Reference>
void expect_agreement(const Kernel& kernel, const Reference& reference, double bound) {
  for (const std::int64_t count : {1, 3, 4, 7, 8, 15, 16, 17, 31, 64, 100'001}) {
    std::vector<float> x;
    for (std::int64_t i = 0; i < count; ++i) {
      x.push_back(-20.0f + 40.0f * static_cast<float>(i) / static_cast<float>(count));
    }
    std::vector<float> y(x.size() + 1, NAN), in_place = x;
    kernel(x.data(), y.data(), count);
    kernel(in_place.data(), in_place.data(), count);
    EXPECT_TRUE(std::isnan(y.back())) << "wrote behind the end";
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double expected = reference(x[i]);
      ASSERT_NEAR(y[i], expected, bound * std::max(1.0, std::fabs(expected))) << x[i];
      ASSERT_EQ(in_place[i], y[i]);
    }
  }
}

TEST_P(Elementwise, GeluTanhAgreesWithItsFormula) {
  expect_agreement(kernels.gelu_tanh, gelu_tanh_reference, 4e-7);
}

TEST_P(Elementwise, GeluErfAgreesWithItsFormula) {
  expect_agreement(kernels.gelu_erf, gelu_erf_reference, 1e-6);
}

TEST_P(Elementwise, TakesExtremes) {
  const float x[] = {-1e30f, 1e30f, 0.0f, -100.0f, 100.0f};
  for (const auto kernel : {kernels.gelu_tanh, kernels.gelu_erf}) {
    float y[5];
    kernel(x, y, 5);
    EXPECT_EQ(y[1], 1e30f);
    EXPECT_EQ(y[2], 0.0f);
    EXPECT_NEAR(y[3], 0, 1e-6);
    EXPECT_EQ(y[4], 100.0f);
  }
  float y[1];
  kernels.gelu_tanh(x, y, 1);
  EXPECT_NEAR(y[0], 0, 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Levels, Elementwise, testing::ValuesIn(supported_cpu_levels()),
                         [](const auto& level) { return std::string(to_string(level.param)); });

}  // namespace
}  // namespace tru::tensor
