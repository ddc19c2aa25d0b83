// Checkpoint tensors -> device tensors. What the device can read as it lies in the file is mapped;
// the rest (another number format, another layout, a device with its own memory) is converted.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tensor/device.h"
#include "tensor/graph.h"
#include "weights/checkpoint.h"

namespace tru::weights {

// Number format of the matrices. Vectors (norms, biases) are always f32.
enum class WeightFormat { checkpoint, f32, bf16, int8, int4 };

// Names as in `--weights`; "auto" is the checkpoint's own format. Error: config_invalid.
Result<WeightFormat> parse_weight_format(std::string_view name);

// What the matrices become on the device. Quantised rows come in blocks: a matrix whose rows do not
// divide into them stays in bf16.
ggml_type matrix_type(WeightFormat format, Dtype on_disk);

// Owns the device memory that loaded tensors live in, mapped files included.
struct LoadedWeights {
  tensor::ContextPtr context;
  std::vector<tensor::BufferPtr> buffers;
  std::shared_ptr<const Checkpoint> checkpoint;
  std::size_t mapped_bytes = 0;     // used in place
  std::size_t allocated_bytes = 0;  // converted or copied
};

// Tensors are asked for by name and shape, then made usable all at once by finish(). The first
// error is kept and reported there, so that code which lists a model's tensors reads like the list.
class Loader {
 public:
  Loader(std::shared_ptr<const Checkpoint> checkpoint, tensor::Device& device, WeightFormat format);

  // A matrix of a linear layer or an embedding table with this shape in the file: rows, then
  // columns, which may be spread over several dimensions. In ggml's terms ne = {columns, rows}.
  ggml_tensor* matrix(const std::string& name, const std::vector<std::int64_t>& shape);

  // The same, always f32: for the few small matrices where rounding decides more than a little.
  ggml_tensor* exact_matrix(const std::string& name, std::int64_t rows, std::int64_t columns);

  // Expert matrices that lie input-major in the file, [experts, columns, rows]; each is transposed
  // to [rows, columns]. ne = {columns, rows, experts}.
  ggml_tensor* transposed_experts(const std::string& name, std::int64_t experts, std::int64_t rows,
                                  std::int64_t columns);

  // f32 vector, for norms and biases.
  ggml_tensor* vector(const std::string& name, std::int64_t size);

  // A table that stays in the program's memory as f32, row-major.
  std::vector<float> host_table(const std::string& name, std::int64_t rows, std::int64_t columns);

  // Maps and converts. Nothing may be asked of the Loader afterwards. Errors: model_invalid (a
  // tensor is missing or has another shape), engine_failed (no memory).
  Result<LoadedWeights> finish();

 private:
  struct Request {
    TensorView source;
    ggml_tensor* target;
    bool transposed;  // each matrix of the target is the source's, transposed
  };

  ggml_tensor* request(const std::string& name, const std::vector<std::int64_t>& disk_shape,
                       const std::vector<std::int64_t>& ne, ggml_type type, bool transposed);
  ggml_type type_of(const std::string& name, std::int64_t columns) const;
  bool map(const Request& request, LoadedWeights& weights);
  void convert(const Request& request) const;

  std::shared_ptr<const Checkpoint> checkpoint_;
  tensor::Device& device_;
  WeightFormat format_;
  tensor::ContextPtr context_;
  std::vector<Request> requests_;
  std::map<std::size_t, tensor::BufferPtr> wrapped_files_;  // by TensorView::file
  Status status_;
};

}  // namespace tru::weights
