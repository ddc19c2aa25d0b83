// What bench_kernels measures besides our product, and who else multiplies: y = W x with W and x in
// 8 bits, one thread.
#pragma once

#include <cstdint>
#include <memory>

#include "tensor/kernels/linear.h"

namespace tru::bench {

void add_attention_benchmarks();
void add_elementwise_benchmarks();

#if defined(__x86_64__)
// Our loops over Highway's vectors. They take what the avx2 level quantises for few rows.
void multiply_highway_avx2(const tensor::LinearTask& task);
void multiply_highway_avx512(const tensor::LinearTask& task);
#endif

// oneDNN's matmul: activations u8 or s8, weights s8 with a scale for each output channel, output
// f32. Less than our product does: activations have no scales of groups. DNNL_MAX_CPU_ISA in the
// environment says which instructions it may use.
class OneDnn {
 public:
  // x: [rows, columns]; W: [channels, columns], `copies` of it, taken in turn.
  OneDnn(bool unsigned_inputs, std::int64_t rows, std::int64_t columns, std::int64_t channels,
         int copies);
  ~OneDnn();
  void run(int copy);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace tru::bench
