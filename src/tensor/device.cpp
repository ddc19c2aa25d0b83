#include "tensor/device.h"

#include <dlfcn.h>
#include <ggml-cpu.h>
#include <sched.h>
#include <strings.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <mutex>

namespace tru::tensor {
namespace {

std::filesystem::path program_folder() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
}

// ggml's back ends are modules beside the program; the registry they go into is ggml's own global,
// so they are loaded once. Only the program's folder is searched, never the working directory.
void load_backends() {
  static std::once_flag once;
  std::call_once(once, [] {
    ggml_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
    ggml_backend_load_all_from_path(program_folder().c_str());
  });
}

std::vector<ggml_backend_dev_t> devices_best_first() {
  load_backends();
  std::vector<ggml_backend_dev_t> devices;
  for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    // Accelerators such as BLAS only serve beside the CPU device.
    if (ggml_backend_dev_type(device) != GGML_BACKEND_DEVICE_TYPE_ACCEL) devices.push_back(device);
  }
  const auto rank = [](ggml_backend_dev_t device) {
    switch (ggml_backend_dev_type(device)) {
      case GGML_BACKEND_DEVICE_TYPE_GPU:
        return 0;
      case GGML_BACKEND_DEVICE_TYPE_IGPU:
        return 1;
      default:
        return 2;
    }
  };
  std::stable_sort(devices.begin(), devices.end(),
                   [&](auto a, auto b) { return rank(a) < rank(b); });
  return devices;
}

bool is_named(ggml_backend_dev_t device, std::string_view name) {
  std::string_view own = ggml_backend_dev_name(device);
  const auto equal = [&] {
    return own.size() == name.size() && strncasecmp(own.data(), name.data(), own.size()) == 0;
  };
  if (equal()) return true;
  own = own.substr(0, own.find_last_not_of("0123456789") + 1);
  return equal();
}

DeviceInfo describe(ggml_backend_dev_t device) {
  DeviceInfo info;
  info.name = ggml_backend_dev_name(device);
  info.description = ggml_backend_dev_description(device);
  ggml_backend_dev_memory(device, &info.memory_free_bytes, &info.memory_total_bytes);
  return info;
}

template <typename Function>
Function find_function(ggml_backend* backend, const char* name) {
  ggml_backend_reg_t reg = ggml_backend_dev_backend_reg(ggml_backend_get_device(backend));
  return reinterpret_cast<Function>(ggml_backend_reg_get_proc_address(reg, name));
}

// Multiplications and additions of a graph's matrix products.
double matrix_flop(ggml_cgraph* graph) {
  double flop = 0;
  for (int i = 0; i < ggml_graph_n_nodes(graph); ++i) {
    const ggml_tensor* node = ggml_graph_node(graph, i);
    if (node->op != GGML_OP_MUL_MAT && node->op != GGML_OP_MUL_MAT_ID) continue;
    flop +=
        2.0 * static_cast<double>(ggml_nelements(node)) * static_cast<double>(node->src[0]->ne[0]);
  }
  return flop;
}

}  // namespace

std::vector<DeviceInfo> list_devices() {
  std::vector<DeviceInfo> infos;
  for (ggml_backend_dev_t device : devices_best_first()) infos.push_back(describe(device));
  return infos;
}

std::optional<MissingGpu> missing_gpu() {
  std::error_code error;
  if (!std::filesystem::exists(program_folder() / "libggml-cuda.so", error)) return {};
  for (ggml_backend_dev_t device : devices_best_first()) {
    if (ggml_backend_dev_type(device) != GGML_BACKEND_DEVICE_TYPE_CPU) return {};
  }
  void* driver = ::dlopen("libcuda.so.1", RTLD_LAZY);
  if (driver == nullptr) {
    return MissingGpu{"no GPU: NVIDIA's driver, libcuda.so.1, is not here",
                      "start the container with --gpus all"};
  }
  ::dlclose(driver);
  return MissingGpu{"no GPU: NVIDIA's driver offers none",
                    "CUDA 13 needs the driver 580 or newer, and a GPU since Turing"};
}

int default_threads() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
  return std::clamp(CPU_COUNT(&allowed), 1, GGML_MAX_N_THREADS);
}

Result<Device> Device::open(std::string_view name, int threads) {
  const auto devices = devices_best_first();
  if (devices.empty()) {
    return fail(ErrorCode::engine_failed,
                "no compute back end could be loaded: libggml-cpu-*.so must be in the program's "
                "folder (run ./run --build)");
  }
  ggml_backend_dev_t chosen = nullptr;
  std::string names = "auto";
  for (ggml_backend_dev_t device : devices) {
    names += std::string(", ") + ggml_backend_dev_name(device);
    if (chosen == nullptr && (name == "auto" || is_named(device, name))) chosen = device;
  }
  if (chosen == nullptr) {
    const auto missing = missing_gpu();
    return fail(ErrorCode::config_invalid, "no device is named '{}'; this machine has: {}{}", name,
                names, missing ? fmt::format(" ({}; {})", missing->what, missing->fix) : "");
  }
  Device device;
  device.backend_.reset(ggml_backend_dev_init(chosen, nullptr));
  if (!device.backend_) {
    return fail(ErrorCode::engine_failed, "the device {} could not be started",
                ggml_backend_dev_name(chosen));
  }
  TRU_CHECK(device.use_threads(threads == 0 ? default_threads() : threads));
  return device;
}

// One pool for the device's life: ggml would else start and join its threads at every graph.
Status Device::use_threads(int threads) {
  if (threads < 1 || threads > GGML_MAX_N_THREADS) {
    return fail(ErrorCode::config_invalid, "threads must be 1 to {}, not {}", GGML_MAX_N_THREADS,
                threads);
  }
  threads_ = threads;
  if (!is_cpu()) return {};
  using NewPool = ggml_threadpool* (*)(ggml_threadpool_params*);
  using FreePool = void (*)(ggml_threadpool*);
  using SetPool = void (*)(ggml_backend*, ggml_threadpool*);
  const auto new_pool = find_function<NewPool>(backend_.get(), "ggml_threadpool_new");
  const auto free_pool = find_function<FreePool>(backend_.get(), "ggml_threadpool_free");
  const auto set_pool = find_function<SetPool>(backend_.get(), "ggml_backend_cpu_set_threadpool");
  set_threads_ =
      find_function<ggml_backend_set_n_threads_t>(backend_.get(), "ggml_backend_set_n_threads");
  ggml_threadpool_params params = ggml_threadpool_params_default(threads);
  ggml_threadpool* pool = new_pool(&params);
  if (pool == nullptr) return fail(ErrorCode::engine_failed, "{} threads can't start", threads);
  thread_pool_ = {pool, free_pool};
  set_pool(backend_.get(), pool);
  return {};
}

DeviceInfo Device::info() const {
  return describe(ggml_backend_get_device(backend_.get()));
}

bool Device::is_cpu() const {
  return ggml_backend_dev_type(ggml_backend_get_device(backend_.get())) ==
         GGML_BACKEND_DEVICE_TYPE_CPU;
}

std::string Device::features() const {
  const auto get =
      find_function<ggml_backend_get_features_t>(backend_.get(), "ggml_backend_get_features");
  std::string names;
  if (get == nullptr) return names;
  ggml_backend_reg_t reg = ggml_backend_dev_backend_reg(ggml_backend_get_device(backend_.get()));
  for (const ggml_backend_feature* feature = get(reg); feature->name != nullptr; ++feature) {
    if (std::string_view(feature->value) != "1") continue;
    names += (names.empty() ? "" : " ") + std::string(feature->name);
  }
  return names;
}

bool Device::supports(const ggml_tensor* node) const {
  return ggml_backend_supports_op(backend_.get(), node);
}

ggml_backend_buffer_type* Device::buffer_type() const {
  return ggml_backend_get_default_buffer_type(backend_.get());
}

Result<BufferPtr> Device::allocate(ggml_context* context) const {
  BufferPtr buffer(ggml_backend_alloc_ctx_tensors_from_buft(context, buffer_type()));
  if (!buffer && ggml_get_first_tensor(context) != nullptr) {
    return fail(ErrorCode::engine_failed, "the device {} is out of memory", info().name);
  }
  return buffer;
}

BufferPtr Device::wrap(void* memory, std::size_t size_bytes) const {
  ggml_backend_dev_t device = ggml_backend_get_device(backend_.get());
  ggml_backend_dev_props props;
  ggml_backend_dev_get_props(device, &props);
  if (!props.caps.buffer_from_host_ptr) return nullptr;
  return BufferPtr(ggml_backend_dev_buffer_from_host_ptr(device, memory, size_bytes, size_bytes));
}

// A GPU's back end ends the process at a node that it can't compute.
Status Device::check_nodes(ggml_cgraph* graph) const {
  for (int i = 0; i < ggml_graph_n_nodes(graph); ++i) {
    const ggml_tensor* node = ggml_graph_node(graph, i);
    if (supports(node)) continue;
    return fail(ErrorCode::engine_failed,
                "the device {} can't compute {} of {}, which this model needs; DEVICE=cpu can",
                info().name, ggml_op_desc(node), ggml_type_name(node->type));
  }
  return {};
}

Status Device::compute(ggml_cgraph* graph, double own_flop, std::stop_token stop) {
  if (is_cpu()) {
    // Threads meet at a spinning barrier after every node. Where a node is a few microseconds of
    // work that costs more than it shares, and on a busy machine, milliseconds.
    constexpr double kFlopPerThread = 1e7;
    const double worth = std::ceil((matrix_flop(graph) + own_flop) / kFlopPerThread);
    set_threads_(backend_.get(), static_cast<int>(std::clamp<double>(worth, 1, threads_)));
  } else {
    TRU_CHECK(check_nodes(graph));
  }
  const auto set_abort = find_function<ggml_backend_set_abort_callback_t>(
      backend_.get(), "ggml_backend_set_abort_callback");
  if (set_abort != nullptr) {
    const auto stopped = [](void* token) {
      return static_cast<std::stop_token*>(token)->stop_requested();
    };
    set_abort(backend_.get(), stopped, &stop);
  }
  const ggml_status status = ggml_backend_graph_compute(backend_.get(), graph);
  if (set_abort != nullptr) set_abort(backend_.get(), nullptr, nullptr);
  if (status == GGML_STATUS_SUCCESS) return {};
  if (status == GGML_STATUS_ABORTED) return fail(ErrorCode::cancelled, "the request was cancelled");
  return fail(ErrorCode::engine_failed, "the device {} failed: {}", info().name,
              ggml_status_to_string(status));
}

}  // namespace tru::tensor
