#include "tensor/roofline.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "base/stopwatch.h"

namespace tru::tensor {
namespace {

// Packed weights as trained ones are: normally distributed. Zeros would not do, as bytes of packed
// weights they are the largest there are, for which AVX2 takes several times as long.
void fill_packed(const Matrix& weights) {
  std::mt19937 random;
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(kPanelRows * weights.columns));
  for (float& value : values) value = normal(random);
  const PackedShape shape = weights.packed_shape();
  auto* panels = static_cast<std::byte*>(weights.tensor->data);
  pack_panel(shape, values.data(), kPanelRows, panels);
  const std::size_t bytes = shape.panel_bytes();
  for (std::int64_t panel = 1; panel < shape.panels(); ++panel) {
    std::memcpy(panels + static_cast<std::size_t>(panel) * bytes, panels, bytes);
  }
}

}  // namespace

Result<double> measure_gemm_gflops(Device& device, const MatrixType& type) {
  constexpr std::int64_t kRows = 2048, kColumns = 2048, kBatch = 512;
  constexpr int kRuns = 5;
  ContextPtr context = make_context(1);
  const Matrix weights = new_matrix(context.get(), type, kRows, kColumns);
  TRU_TRY(const BufferPtr buffer, device.allocate(context.get()));
  if (weights.packed) {
    fill_packed(weights);
  } else {
    ggml_backend_buffer_clear(buffer.get(), 0);
  }
  const std::vector<float> inputs(kColumns * kBatch, 1.0f);

  Workspace workspace(device);
  double best_ms = 0;
  for (int run = 0; run < kRuns; ++run) {
    Graph graph(workspace);
    const std::int64_t shape[] = {kColumns, kBatch};
    ggml_tensor* product =
        linear(graph, weights, nullptr, {graph, graph.input(GGML_TYPE_F32, shape, inputs.data())});
    graph.output(product);
    const Stopwatch watch;
    TRU_CHECK(graph.run({}));
    const double ms = watch.elapsed_ms();
    best_ms = run == 0 ? ms : std::min(best_ms, ms);
  }
  return 2e-6 * kRows * kColumns * kBatch / best_ms;
}

double measure_read_gb_per_s(int threads) {
  constexpr std::size_t kBytes = std::size_t{256} << 20;
  constexpr int kRuns = 10;
  // One place at a time does not keep the memory busy.
  constexpr std::size_t kPlaces = 4;
  const std::vector<std::uint64_t> memory(kBytes / sizeof(std::uint64_t), 1);
  std::atomic<std::uint64_t> total = 0;
  double best_ms = 0;
  for (int run = 0; run < kRuns; ++run) {
    const Stopwatch watch;
    {
      std::vector<std::jthread> readers;
      const std::size_t share = memory.size() / static_cast<std::size_t>(threads);
      const std::size_t part = share / kPlaces / 8 * 8;
      for (int i = 0; i < threads; ++i) {
        readers.emplace_back([&, begin = static_cast<std::size_t>(i) * share] {
          std::uint64_t sums[8] = {};
          for (std::size_t at = begin; at < begin + part; at += 8) {
            for (std::size_t place = 0; place < kPlaces; ++place) {
              for (std::size_t lane = 0; lane < 8; ++lane) {
                sums[lane] += memory[at + place * part + lane];
              }
            }
          }
          for (const std::uint64_t sum : sums) total += sum;
        });
      }
    }
    const double ms = watch.elapsed_ms();
    best_ms = run == 0 ? ms : std::min(best_ms, ms);
  }
  return total > 0 ? static_cast<double>(kBytes) * 1e-6 / best_ms : 0;
}

}  // namespace tru::tensor
