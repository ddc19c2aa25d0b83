#include "tensor/graph.h"

#include "base/assert.h"

namespace tru::tensor {
namespace {

std::size_t header_bytes() {
  return ggml_tensor_overhead() * Graph::kMaxNodes +
         ggml_graph_overhead_custom(Graph::kMaxNodes, false);
}

}  // namespace

ContextPtr make_context(std::size_t max_tensors) {
  const ggml_init_params params{ggml_tensor_overhead() * max_tensors, nullptr, true};
  return ContextPtr(ggml_init(params));
}

Workspace::Workspace(Device& device)
    : device_(device),
      allocator_(ggml_gallocr_new(device.buffer_type())),
      headers_(header_bytes()) {}

Graph::Graph(Workspace& workspace) : workspace_(workspace) {
  const ggml_init_params params{workspace.headers_.size(), workspace.headers_.data(), true};
  context_.reset(ggml_init(params));
  graph_ = ggml_new_graph_custom(context_.get(), kMaxNodes, false);
}

ggml_tensor* Graph::input(ggml_type type, std::span<const std::int64_t> shape, const void* data) {
  ggml_tensor* tensor =
      ggml_new_tensor(context_.get(), type, static_cast<int>(shape.size()), shape.data());
  ggml_set_input(tensor);
  inputs_.push_back({tensor, data});
  return tensor;
}

void Graph::output(ggml_tensor* tensor) {
  ggml_set_output(tensor);
  ggml_build_forward_expand(graph_, tensor);
}

void Graph::add(ggml_tensor* tensor) {
  ggml_build_forward_expand(graph_, tensor);
}

Status Graph::run(std::stop_token stop) {
  // Planned anew each time: ggml would take the last graph's plan for any graph of as many nodes
  // that are not larger, whatever their order, and let a result overwrite what it is computed from.
  ggml_gallocr* allocator = workspace_.allocator_.get();
  if (!ggml_gallocr_reserve(allocator, graph_) || !ggml_gallocr_alloc_graph(allocator, graph_)) {
    return fail(ErrorCode::engine_failed, "the device {} is out of memory", device().info().name);
  }
  for (const Input& input : inputs_) {
    // Inputs that no node reads get no memory.
    if (input.tensor->buffer == nullptr) continue;
    ggml_backend_tensor_set(input.tensor, input.data, 0, ggml_nbytes(input.tensor));
  }
  return device().compute(graph_, own_flop_, stop);
}

std::vector<float> Graph::read(const ggml_tensor* tensor) const {
  TRU_ASSERT(tensor->type == GGML_TYPE_F32 && ggml_is_contiguous(tensor));
  std::vector<float> values(static_cast<std::size_t>(ggml_nelements(tensor)));
  ggml_backend_tensor_get(tensor, values.data(), 0, ggml_nbytes(tensor));
  return values;
}

}  // namespace tru::tensor
