// The processor that graphs run on, behind ggml's back-end interface: another device is another
// name, not another code path. One thread at a time may use a Device (the engine thread).
#pragma once

#include <ggml-backend.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tru::tensor {

struct BackendDeleter {
  void operator()(ggml_backend* backend) const { ggml_backend_free(backend); }
};
struct BufferDeleter {
  void operator()(ggml_backend_buffer* buffer) const { ggml_backend_buffer_free(buffer); }
};
using BufferPtr = std::unique_ptr<ggml_backend_buffer, BufferDeleter>;

struct DeviceInfo {
  std::string name;         // "CPU", "CUDA0": what `--device` takes
  std::string description;  // the chip's own name
  std::size_t memory_total_bytes = 0;
  std::size_t memory_free_bytes = 0;
};

// All devices of this machine, best first.
std::vector<DeviceInfo> list_devices();

// A GPU back end that finds no GPU: what is wrong, and what to do.
struct MissingGpu {
  std::string what;
  std::string fix;
};

// Nothing if there is a GPU, or if this build has no back end for one.
std::optional<MissingGpu> missing_gpu();

// Threads that `threads = 0` stands for: the cores this process may run on.
int default_threads();

class Device {
 public:
  // name: "auto" (a GPU if there is one, else the CPU) or a name of list_devices(), any case; of
  // several with numbers, "cuda" is the first.
  // threads: for the CPU; 0 = default_threads(). Errors: config_invalid, engine_failed.
  static Result<Device> open(std::string_view name, int threads);

  DeviceInfo info() const;
  bool is_cpu() const;
  int threads() const { return threads_; }
  // The instruction sets that the chosen CPU back end uses, such as "AVX2 FMA AVX512".
  std::string features() const;

  // Whether it can compute this node.
  bool supports(const ggml_tensor* node) const;

  ggml_backend* backend() const { return backend_.get(); }
  ggml_backend_buffer_type* buffer_type() const;

  // Memory for all tensors of `context` that have none. Error: engine_failed when it is not to be
  // had.
  Result<BufferPtr> allocate(ggml_context* context) const;

  // Wraps memory we already have, without a copy. Null when the device can't use host memory.
  BufferPtr wrap(void* memory, std::size_t size_bytes) const;

  // Runs an allocated graph to its end. own_flop: multiplications and additions of nodes that ggml
  // does not know. A stop request ends it early with `cancelled`.
  Status compute(ggml_cgraph* graph, double own_flop, std::stop_token stop);

 private:
  Device() = default;
  Status use_threads(int threads);
  Status check_nodes(ggml_cgraph* graph) const;

  // Its deleter is looked up in the back end module. Outlives backend_, which uses it.
  std::unique_ptr<ggml_threadpool, void (*)(ggml_threadpool*)> thread_pool_{nullptr, nullptr};
  std::unique_ptr<ggml_backend, BackendDeleter> backend_;
  ggml_backend_set_n_threads_t set_threads_ = nullptr;  // of CPU back ends
  int threads_ = 0;
};

}  // namespace tru::tensor
