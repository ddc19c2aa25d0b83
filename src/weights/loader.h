// Checkpoint tensors -> device tensors. What the device can read as it lies in the file is mapped;
// the rest (another number format, another layout, a device with its own memory) is converted.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "tensor/device.h"
#include "tensor/experts.h"
#include "tensor/linear.h"
#include "weights/checkpoint.h"
#include "weights/weight_cache.h"

namespace tru::weights {

// Number format of the matrices. Vectors (norms, biases) are always f32.
// int8_or_smaller: int8, but what the file has in fewer bits stays as it is.
enum class WeightFormat { checkpoint, f32, bf16, int8, int4, int8_or_smaller };

// Names as in `--weights`; "auto" is the checkpoint's own format. Error: config_invalid.
Result<WeightFormat> parse_weight_format(std::string_view name);

// What `auto` stands for: the checkpoint's own format, but on a CPU int8 for models of more than
// 256 MiB, where speed and memory matter and rounding is lost in the crowd, or int4 if even that
// does not fit into the device's free memory. Matrices that a GGUF file has in fewer than 8 bits
// stay so, and the others too if they do not fit in int8. Other names as parse_weight_format takes
// them.
Result<WeightFormat> choose_weight_format(std::string_view name, const Checkpoint& checkpoint,
                                          const tensor::Device& device);

// The vision encoder's, where the language model's is `format`: at least 8 bits. In 4 it sees less,
// it is the smaller part of a model, and generation does not read it.
WeightFormat vision_format(WeightFormat format);

// What the matrices of linear layers become on the device. On CPUs, int8 and int4 are packed for
// our kernels; elsewhere they are ggml's blocks.
tensor::MatrixType matrix_type(WeightFormat format, Dtype on_disk, const tensor::Device& device);

// Owns the device memory that loaded tensors live in, mapped files included.
struct LoadedWeights {
  tensor::ContextPtr context;
  std::vector<tensor::BufferPtr> buffers;
  std::shared_ptr<const Checkpoint> checkpoint;
  std::unique_ptr<CachedWeights> cached;
  std::size_t mapped_bytes = 0;     // used in place, or kept by an earlier start
  std::size_t allocated_bytes = 0;  // converted or copied
};

// Tensors are asked for by name and shape, then made usable all at once by finish(). The first
// error is kept and reported there, so that code which lists a model's tensors reads like the list.
class Loader {
 public:
  // cache: where a CPU's converted weights are kept.
  Loader(std::shared_ptr<const Checkpoint> checkpoint, tensor::Device& device, WeightFormat format,
         WeightCacheConfig cache = {});

  // The matrix of a linear layer with this shape in the file: rows, then columns, which may be
  // spread over several dimensions.
  tensor::Matrix linear(const std::string& name, const std::vector<std::int64_t>& shape);

  // The same, always f32: for the few small matrices where rounding decides more than a little.
  tensor::Matrix exact_linear(const std::string& name, std::int64_t rows, std::int64_t columns);

  // A matrix whose rows are looked up. ne = {columns, rows}.
  ggml_tensor* table(const std::string& name, std::int64_t rows, std::int64_t columns);

  // The matrices `name`.gate_up_proj and `name`.down_proj of experts. In safetensors they lie
  // input-major, [experts, columns, rows], and each is transposed to [rows, columns]; in GGUF files
  // as wanted, but gate and up apart (expert_parts).
  tensor::ExpertMlps experts(const std::string& name, std::int64_t experts, std::int64_t hidden,
                             std::int64_t inner);

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
    std::int64_t rows;             // of each of the source's matrices, as they stand in the target
    std::int64_t columns;          // of the target
    std::int64_t matrices = 1;     // as many in source and target
    std::int64_t target_rows = 0;  // of each matrix of the target, if it has other rows too
    std::int64_t first_row = 0;    // of each matrix of the target: where the source's rows begin
    bool transposed = false;       // each matrix of the target is the source's, transposed
    std::optional<tensor::PackedFormat> packed = {};

    // A row's place among the rows of all matrices of the target.
    std::int64_t row_in_target(std::int64_t matrix, std::int64_t row) const {
      return matrix * std::max(rows, target_rows) + first_row + row;
    }
    bool keeps_blocks() const;
  };

  tensor::MatrixType type_of(const std::string& name) const;
  ggml_type plain_type_of(const std::string& name, std::int64_t columns) const;
  std::vector<std::string> parts_of_experts(const std::string& name) const;
  tensor::MatrixType type_of_experts(const std::string& name, std::int64_t columns) const;
  tensor::Matrix request_matrix(const std::string& name, const std::vector<std::int64_t>& shape,
                                const tensor::MatrixType& type);
  tensor::ExpertMatrices request_experts(const std::string& name, const tensor::MatrixType& type,
                                         std::int64_t experts, std::int64_t rows,
                                         std::int64_t columns);
  void request(const std::string& name, const std::vector<std::int64_t>& disk_shape,
               const Request& request);
  bool map(const Request& request, LoadedWeights& weights);
  WeightCacheKey lay_out(std::span<const Request* const> requests,
                         std::vector<std::pair<ggml_tensor*, std::size_t>>& places) const;
  bool make_cached(std::span<const Request* const> requests, LoadedWeights& weights);
  Status make(std::span<const Request* const> requests, LoadedWeights& weights);
  void convert(const Request& request) const;
  void convert_rows(const Request& request, std::int64_t matrix, std::int64_t first,
                    std::int64_t count) const;

  std::shared_ptr<const Checkpoint> checkpoint_;
  tensor::Device& device_;
  WeightFormat format_;
  WeightCacheConfig cache_;
  tensor::ContextPtr context_;
  std::vector<Request> requests_;
  std::map<std::string, tensor::Matrix> plain_;             // those that a second request can share
  std::map<std::size_t, tensor::BufferPtr> wrapped_files_;  // by TensorView::file
  Status status_;
};

}  // namespace tru::weights
