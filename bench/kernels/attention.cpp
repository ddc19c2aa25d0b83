// The attention of one head, and of one row of all heads; one thread.
#include <benchmark/benchmark.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "contenders.h"
#include "tensor/kernels/attention.h"

namespace tru::bench {
namespace {

// Heads of Qwen3-VL-2B: a temporal patch of 736x352, and the prefill of a 10 s clip.
struct Heads {
  const char* name;
  std::int64_t head_dim, keys;
  bool causal;
};

constexpr Heads kHeads[] = {{"vision", 64, 1012, false}, {"prefill", 128, 2816, true}};

class Head {
 public:
  Head(const Heads& shape, const tensor::AttentionKernels& kernels)
      : shape_(shape),
        kernels_(kernels),
        padded_(tensor::padded_to_lanes(shape.keys)),
        output_(static_cast<std::size_t>(shape.keys * shape.head_dim)),
        scratch_(kernels.scratch_lines(shape.head_dim, padded_)) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (auto* rows : {&queries_, &keys_, &values_}) {
      rows->resize(output_.size());
      for (float& value : *rows) value = normal(random);
    }
    const std::size_t bytes = kernels.packed_bytes(shape.head_dim, shape.keys);
    packed_.resize(2 * bytes / sizeof(tensor::CacheLine));
    auto* block = reinterpret_cast<std::byte*>(packed_.data());
    head_ = {block, block + bytes, shape.head_dim, padded_};
  }

  void pack() {
    for (std::int64_t key = 0; key < padded_; key += tensor::kAttentionLanes) {
      kernels_.pack(rows(keys_), rows(values_), key, shape_.keys, head_);
    }
  }

  void attend() {
    for (std::int64_t row = 0; row < shape_.keys; row += kernels_.rows) {
      const auto first = static_cast<std::size_t>(row * shape_.head_dim);
      kernels_.attend({head_, &queries_[first], shape_.head_dim,
                       std::min(kernels_.rows, shape_.keys - row),
                       shape_.causal ? row + 1 : shape_.keys, shape_.causal,
                       1 / std::sqrt(static_cast<float>(shape_.head_dim)), &output_[first],
                       shape_.head_dim, scratch_.data()});
    }
  }

  // Multiply-adds count as two; of a causal head's only those that count.
  double operations() const {
    const auto rows = static_cast<double>(shape_.keys);
    const double pairs = shape_.causal ? rows * (rows + 1) / 2 : rows * rows;
    return 4 * pairs * static_cast<double>(shape_.head_dim);
  }

 private:
  tensor::HeadRows rows(const std::vector<float>& values) const {
    return {reinterpret_cast<const std::byte*>(values.data()), shape_.head_dim * 4, false};
  }

  const Heads& shape_;
  const tensor::AttentionKernels& kernels_;
  std::int64_t padded_;
  std::vector<float> output_, queries_, keys_, values_;
  std::vector<tensor::CacheLine> scratch_, packed_;
  tensor::PackedHead head_{};
};

void run(benchmark::State& state, const Heads& shape, tensor::CpuLevel level) {
  Head head(shape, tensor::attention_kernels(level));
  for (auto _ : state) {
    head.pack();
    head.attend();
  }
  const auto runs = static_cast<double>(state.iterations());
  state.counters["GOPS"] = {head.operations() * runs / 1e9, benchmark::Counter::kIsRate};
}

// A layer of Qwen3-VL-2B as it generates the token behind 3,200 others: 16 heads, 8 key heads.
void run_row(benchmark::State& state, tensor::CpuLevel level) {
  constexpr std::int64_t kDim = 128, kQueries = 16, kKeyHeads = 8, kKeys = 3200;
  constexpr std::int64_t kRowBytes = kKeyHeads * kDim * 2;
  constexpr std::int64_t kParts = tensor::attention_parts(kKeys);
  constexpr std::int64_t kLayers = 8;  // more than caches hold
  const std::vector<std::byte> rows(kLayers * 2 * kKeys * kRowBytes, std::byte{0x11});
  const std::vector<float> query(kQueries * kDim, 1.0f);
  std::vector<float> scores(kQueries * tensor::kAttentionPartKeys), output(kQueries * kDim);
  std::vector<float> block(static_cast<std::size_t>(kParts * tensor::part_floats(kQueries, kDim)));
  std::int64_t index = 0;
  for (auto _ : state) {
    const std::byte* layer = rows.data() + index++ % kLayers * 2 * kKeys * kRowBytes;
    const tensor::RowAttentionTask task{kDim,
                                        kQueries,
                                        kKeyHeads,
                                        query.data(),
                                        kDim,
                                        {layer, kRowBytes, true},
                                        {layer + kKeys * kRowBytes, kRowBytes, true},
                                        kDim * 2,
                                        kDim * 2,
                                        1 / std::sqrt(128.0f),
                                        scores.data()};
    for (std::int64_t p = 0; p < kParts; ++p) {
      tensor::attention_kernels(level).attend_row(task, p * tensor::kAttentionPartKeys,
                                                  tensor::kAttentionPartKeys,
                                                  tensor::part_at(block.data(), p, kQueries, kDim));
    }
    tensor::join_parts(block.data(), kParts, kQueries, kDim, output.data());
  }
  const auto runs = static_cast<double>(state.iterations());
  state.counters["GB"] = {2.0 * kKeys * kRowBytes * runs / 1e9, benchmark::Counter::kIsRate};
}

}  // namespace

void add_attention_benchmarks() {
  for (const tensor::CpuLevel level : tensor::supported_cpu_levels()) {
    const std::string name = "row_attention/tru_" + std::string(to_string(level));
    benchmark::RegisterBenchmark(name.c_str(), [level](benchmark::State& state) {
      run_row(state, level);
    })->Unit(benchmark::kMicrosecond);
  }
  for (const Heads& shape : kHeads) {
    for (const tensor::CpuLevel level : tensor::supported_cpu_levels()) {
      const std::string name =
          std::string(shape.name) + "_attention/tru_" + std::string(to_string(level));
      benchmark::RegisterBenchmark(name.c_str(), [&shape, level](benchmark::State& state) {
        run(state, shape, level);
      })->Unit(benchmark::kMillisecond);
    }
  }
}

}  // namespace tru::bench
