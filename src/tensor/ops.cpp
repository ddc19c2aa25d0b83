#include "tensor/ops.h"

#include <algorithm>

#include "base/assert.h"
#include "tensor/kernels/gelu.h"

namespace tru::tensor {
namespace {

void run_gelu(ggml_tensor* y, const ggml_tensor* x, int thread, int threads, void*) {
  const std::int64_t count = ggml_nelements(x);
  const std::int64_t share = (count + threads - 1) / threads;
  const std::int64_t begin = std::min(count, share * thread);
  const std::int64_t end = std::min(count, begin + share);
  gelu_tanh(static_cast<const float*>(x->data) + begin, static_cast<float*>(y->data) + begin,
            static_cast<std::size_t>(end - begin));
}

}  // namespace

ggml_tensor* gelu_tanh(Graph& graph, ggml_tensor* x) {
  TRU_ASSERT(x->type == GGML_TYPE_F32 && ggml_is_contiguous(x));
  if (!graph.device().is_cpu()) return ggml_gelu_inplace(graph.context(), x);
  return ggml_map_custom1_inplace(graph.context(), x, run_gelu, GGML_N_TASKS_MAX, nullptr);
}

}  // namespace tru::tensor
