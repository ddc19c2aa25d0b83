// bench_kernels: the int8 product of one layer and other kernels, one thread, as Google Benchmark
// prints it. Its flags: --benchmark_filter, --benchmark_repetitions and others, --help.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "contenders.h"

namespace tru::bench {
namespace {

// A layer of Qwen3-VL-2B and how many tokens it takes at once.
struct Layer {
  const char* name;
  std::int64_t tokens, columns, channels;
};

constexpr Layer kLayers[] = {{"vision_fc1", 1012, 1024, 4096},
                             {"vision_fc2", 1012, 4096, 1024},
                             {"prefill_up", 512, 2048, 6144},
                             {"generate_up", 1, 2048, 6144}};
constexpr std::int64_t kColdBytes = 256 << 20;  // more than caches hold: for one token

int copies_of(const Layer& layer) {
  return layer.tokens > 1 ? 1 : static_cast<int>(kColdBytes / (layer.columns * layer.channels));
}

// Multiply-adds count as two, in 10^9 a second.
void report(benchmark::State& state, const Layer& layer) {
  const auto each = static_cast<double>(2 * layer.tokens * layer.columns * layer.channels);
  const auto runs = static_cast<double>(state.iterations());
  state.counters["GOPS"] = {each * runs / 1e9, benchmark::Counter::kIsRate};
}

// What our kernels take, of random numbers.
class Product {
 public:
  Product(const Layer& layer, const tensor::LinearKernels& kernels)
      : layer_(layer),
        kernels_(kernels),
        x_(static_cast<std::size_t>(layer.tokens * layer.columns)),
        output_(static_cast<std::size_t>(layer.tokens * layer.channels)),
        block_(kernels.quantized_bytes(layer.tokens, layer.columns)),
        shape_{tensor::PackedFormat::int8, layer.channels, layer.columns} {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (float& value : x_) value = normal(random);
    std::vector<float> rows(static_cast<std::size_t>(tensor::kPanelRows * layer.columns));
    for (float& value : rows) value = normal(random);
    const std::size_t bytes = shape_.bytes();
    weights_.resize((static_cast<std::size_t>(copies_of(layer)) * bytes + 64) / 64);
    for (std::size_t at = 0; at + shape_.panel_bytes() <= weights_.size() * 64;
         at += shape_.panel_bytes()) {
      tensor::pack_panel(shape_, rows.data(), tensor::kPanelRows, weights_.data()->bytes + at);
    }
    quantize();
  }

  void quantize() {
    const tensor::QuantizedRows rows = view();
    kernels_.quantize({.x = {x_.data(), layer_.columns},
                       .columns = layer_.columns,
                       .out = rows,
                       .end_tile = rows.tiles(),
                       .end_span = rows.spans()});
  }

  tensor::LinearTask task(int copy) {
    const std::byte* weights =
        weights_.data()->bytes + static_cast<std::size_t>(copy) * shape_.bytes();
    return {.shape = shape_,
            .weights = weights,
            .inputs = view(),
            .output = {output_.data(), shape_.rows},
            .end_tile = view().tiles(),
            .end_panel = shape_.panels()};
  }

 private:
  struct alignas(64) Line {
    std::byte bytes[64];
  };

  tensor::QuantizedRows view() {
    return kernels_.view(block_.data(), layer_.tokens, layer_.columns);
  }

  const Layer& layer_;
  const tensor::LinearKernels& kernels_;
  std::vector<float> x_, output_;
  std::vector<std::byte> block_;
  std::vector<Line> weights_;
  tensor::PackedShape shape_;
};

using Multiply = void (*)(const tensor::LinearTask&);

// In pieces of as many rows as graphs share out.
void multiply_pieces(tensor::LinearTask task, std::int64_t tiles, Multiply with) {
  const std::int64_t end = task.end_tile;
  for (task.begin_tile = 0; task.begin_tile < end; task.begin_tile = task.end_tile) {
    task.end_tile = std::min(end, task.begin_tile + tiles);
    with(task);
  }
}

void run_ours(benchmark::State& state, const Layer& layer, const tensor::LinearKernels* kernels,
              Multiply with) {
  Product product(layer, *kernels);
  int copy = 0;
  for (auto _ : state) {
    multiply_pieces(product.task(copy), kernels->tiles_per_share, with);
    copy = (copy + 1) % copies_of(layer);
  }
  report(state, layer);
}

void run_quantize(benchmark::State& state, const Layer& layer, tensor::CpuLevel level) {
  Product product(layer, tensor::linear_kernels(level, layer.tokens));
  for (auto _ : state) product.quantize();
}

void run_onednn(benchmark::State& state, const Layer& layer, bool unsigned_inputs) {
  OneDnn product(unsigned_inputs, layer.tokens, layer.columns, layer.channels, copies_of(layer));
  int copy = 0;
  for (auto _ : state) {
    product.run(copy);
    copy = (copy + 1) % copies_of(layer);
  }
  report(state, layer);
}

void add_benchmarks(const Layer& layer) {
  const auto add = [&](const std::string& who, auto run, auto... arguments) {
    const std::string name = std::string(layer.name) + "/" + who;
    benchmark::RegisterBenchmark(name.c_str(), [=, &layer](benchmark::State& state) {
      run(state, layer, arguments...);
    })->Unit(benchmark::kMillisecond);
  };
  for (const tensor::CpuLevel level : tensor::supported_cpu_levels()) {
    if (level == tensor::CpuLevel::portable) continue;
    const std::string name(to_string(level));
    const tensor::LinearKernels& kernels = tensor::linear_kernels(level, layer.tokens);
    add("tru_" + name, run_ours, &kernels, kernels.multiply);
    add("tru_" + name + "_quantize", run_quantize, level);
#if defined(__x86_64__)
    const tensor::LinearKernels* few_rows = &tensor::linear_kernels(tensor::CpuLevel::avx2, 1);
    if (level == tensor::CpuLevel::avx2) {
      add("highway_avx2", run_ours, few_rows, &multiply_highway_avx2);
    }
    if (level == tensor::CpuLevel::avx512_vnni) {
      add("highway_avx512", run_ours, few_rows, &multiply_highway_avx512);
    }
#endif
  }
  add("onednn_u8s8", run_onednn, true);
  add("onednn_s8s8", run_onednn, false);
}

}  // namespace
}  // namespace tru::bench

int main(int count, char** arguments) {
  for (const auto& layer : tru::bench::kLayers) tru::bench::add_benchmarks(layer);
  tru::bench::add_attention_benchmarks();
  tru::bench::add_elementwise_benchmarks();
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
