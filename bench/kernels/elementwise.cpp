// GELU of a vision layer's numbers, one thread.
#include "tensor/kernels/elementwise.h"

#include <benchmark/benchmark.h>

#include <random>
#include <string>
#include <vector>

#include "contenders.h"

namespace tru::bench {
namespace {

constexpr std::int64_t kNumbers = 1012 * 4096;  // of a temporal patch of 736x352

using Function = void (*)(const float* x, float* y, std::int64_t count);

void run(benchmark::State& state, Function function) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> x(kNumbers), y(kNumbers);
  for (float& value : x) value = normal(random);
  for (auto _ : state) function(x.data(), y.data(), kNumbers);
  state.SetItemsProcessed(state.iterations() * kNumbers);
}

}  // namespace

void add_elementwise_benchmarks() {
  for (const tensor::CpuLevel level : tensor::supported_cpu_levels()) {
    const tensor::ElementwiseKernels& kernels = tensor::elementwise_kernels(level);
    const std::string who = "/tru_" + std::string(to_string(level));
    for (const auto& [name, function] :
         {std::pair{"gelu_tanh", kernels.gelu_tanh}, std::pair{"gelu_erf", kernels.gelu_erf}}) {
      benchmark::RegisterBenchmark((name + who).c_str(), run, function)
          ->Unit(benchmark::kMillisecond);
    }
  }
}

}  // namespace tru::bench
