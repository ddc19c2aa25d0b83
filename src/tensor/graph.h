// A compute graph being built, then run. ggml's operators are called on context(); this class owns
// the memory of nodes and intermediate results, which the next graph of the same Workspace reuses.
#pragma once

#include <ggml-alloc.h>
#include <ggml.h>

#include <cstddef>
#include <memory>
#include <span>
#include <stop_token>
#include <utility>
#include <vector>

#include "base/result.h"
#include "tensor/device.h"

namespace tru::tensor {

struct ContextDeleter {
  void operator()(ggml_context* context) const { ggml_free(context); }
};
using ContextPtr = std::unique_ptr<ggml_context, ContextDeleter>;

// A context for `max_tensors` tensor headers, without data.
ContextPtr make_context(std::size_t max_tensors);

// The values of an f32 tensor; null of null.
inline const float* floats_of(const ggml_tensor* tensor) {
  return tensor == nullptr ? nullptr : static_cast<const float*>(tensor->data);
}

// The growing buffer that graphs of one kind (vision, language) compute in.
class Workspace {
 public:
  explicit Workspace(Device& device);

 private:
  friend class Graph;
  struct AllocatorDeleter {
    void operator()(ggml_gallocr* allocator) const { ggml_gallocr_free(allocator); }
  };
  Device& device_;
  std::unique_ptr<ggml_gallocr, AllocatorDeleter> allocator_;
  std::vector<std::byte> headers_;
};

// Use: build nodes on context(), run(), read outputs. One graph of a Workspace lives at a time.
class Graph {
 public:
  static constexpr std::size_t kMaxNodes = 8192;

  explicit Graph(Workspace& workspace);

  ggml_context* context() const { return context_.get(); }
  Device& device() const { return workspace_.device_; }

  // A tensor whose values the caller gives. `data` must stay alive until run(); its size in bytes
  // is the tensor's.
  ggml_tensor* input(ggml_type type, std::span<const std::int64_t> shape, const void* data);
  // Keeps the tensor's values until after run().
  void output(ggml_tensor* tensor);
  // Adds a node that nothing else depends on, such as a write into the KV cache. Nodes run in the
  // order in which they were added.
  void add(ggml_tensor* tensor);

  // What an operator of our own keeps beside its tensors, alive as long as the graph.
  template <typename State, typename... Args>
  State& keep(Args&&... args) {
    auto state = std::shared_ptr<State>(new State{std::forward<Args>(args)...});
    states_.push_back(state);
    return *state;
  }
  // Multiplications and additions of operators that ggml does not know.
  void add_flop(double flop) { own_flop_ += flop; }

  // Allocates, copies the inputs in and computes. Errors: engine_failed, cancelled.
  Status run(std::stop_token stop);

  // Values of a contiguous f32 output, after run().
  std::vector<float> read(const ggml_tensor* tensor) const;

 private:
  struct Input {
    ggml_tensor* tensor;
    const void* data;
  };

  Workspace& workspace_;
  ContextPtr context_;
  ggml_cgraph* graph_;
  std::vector<Input> inputs_;
  std::vector<std::shared_ptr<void>> states_;
  double own_flop_ = 0;
};

}  // namespace tru::tensor
