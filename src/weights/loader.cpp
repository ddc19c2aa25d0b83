#include "weights/loader.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

#include "base/assert.h"
#include "weights/convert.h"

namespace tru::weights {
namespace {

constexpr std::size_t kMaxTensors = 65536;

ggml_type type_on_disk(Dtype dtype) {
  switch (dtype) {
    case Dtype::f32:
      return GGML_TYPE_F32;
    case Dtype::f16:
      return GGML_TYPE_F16;
    case Dtype::bf16:
      return GGML_TYPE_BF16;
  }
  return GGML_TYPE_F32;
}

// A copy of `view` that holds `count` elements from `first` on.
TensorView slice(const TensorView& view, std::int64_t first, std::int64_t count) {
  TensorView part = view;
  const std::size_t element = bytes_per_element(view.dtype);
  part.shape = {count};
  part.data = view.data.subspan(static_cast<std::size_t>(first) * element,
                                static_cast<std::size_t>(count) * element);
  return part;
}

// f32 rows -> `type`, as bytes.
std::vector<std::byte> encode_rows(std::span<const float> values, ggml_type type,
                                   std::int64_t columns) {
  const std::int64_t rows = static_cast<std::int64_t>(values.size()) / columns;
  std::vector<std::byte> bytes(ggml_row_size(type, columns) * static_cast<std::size_t>(rows));
  if (type == GGML_TYPE_F32) {
    std::memcpy(bytes.data(), values.data(), bytes.size());
  } else {
    ggml_quantize_chunk(type, values.data(), bytes.data(), 0, rows, columns, nullptr);
  }
  return bytes;
}

// Calls work(i) for all i < count on as many threads as help.
template <typename Work>
void parallel_for(std::size_t count, int threads, const Work& work) {
  std::atomic<std::size_t> next = 0;
  const auto loop = [&] {
    for (std::size_t i = next++; i < count; i = next++) work(i);
  };
  std::vector<std::jthread> helpers;
  for (int i = 1; i < threads; ++i) helpers.emplace_back(loop);
  loop();
}

}  // namespace

Result<WeightFormat> parse_weight_format(std::string_view name) {
  if (name == "auto") return WeightFormat::checkpoint;
  if (name == "f32") return WeightFormat::f32;
  if (name == "bf16") return WeightFormat::bf16;
  if (name == "int8") return WeightFormat::int8;
  if (name == "int4") return WeightFormat::int4;
  return fail(ErrorCode::config_invalid,
              "weights '{}' is not a format; allowed are auto, f32, bf16, int8, int4", name);
}

ggml_type matrix_type(WeightFormat format, Dtype on_disk) {
  switch (format) {
    case WeightFormat::f32:
      return GGML_TYPE_F32;
    case WeightFormat::bf16:
      return GGML_TYPE_BF16;
    case WeightFormat::int8:
      return GGML_TYPE_Q8_0;
    case WeightFormat::int4:
      return GGML_TYPE_Q4_0;
    case WeightFormat::checkpoint:
      break;
  }
  return type_on_disk(on_disk);
}

Loader::Loader(std::shared_ptr<const Checkpoint> checkpoint, tensor::Device& device,
               WeightFormat format)
    : checkpoint_(std::move(checkpoint)),
      device_(device),
      format_(format),
      context_(tensor::make_context(kMaxTensors)) {}

ggml_type Loader::type_of(const std::string& name, std::int64_t columns) const {
  const ggml_type type = matrix_type(format_, checkpoint_->dtype(name).value_or(Dtype::f32));
  return columns % ggml_blck_size(type) == 0 ? type : GGML_TYPE_BF16;
}

ggml_tensor* Loader::matrix(const std::string& name, const std::vector<std::int64_t>& shape) {
  std::int64_t columns = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) columns *= shape[i];
  return request(name, shape, {columns, shape[0]}, type_of(name, columns), false);
}

ggml_tensor* Loader::exact_matrix(const std::string& name, std::int64_t rows,
                                  std::int64_t columns) {
  return request(name, {rows, columns}, {columns, rows}, GGML_TYPE_F32, false);
}

ggml_tensor* Loader::transposed_experts(const std::string& name, std::int64_t experts,
                                        std::int64_t rows, std::int64_t columns) {
  return request(name, {experts, columns, rows}, {columns, rows, experts}, type_of(name, columns),
                 true);
}

ggml_tensor* Loader::vector(const std::string& name, std::int64_t size) {
  return request(name, {size}, {size}, GGML_TYPE_F32, false);
}

std::vector<float> Loader::host_table(const std::string& name, std::int64_t rows,
                                      std::int64_t columns) {
  const auto view = checkpoint_->tensor(name, {rows, columns});
  if (view) return to_f32(*view);
  if (status_) status_ = tl::unexpected(view.error());
  return {};
}

ggml_tensor* Loader::request(const std::string& name, const std::vector<std::int64_t>& disk_shape,
                             const std::vector<std::int64_t>& ne, ggml_type type, bool transposed) {
  ggml_tensor* target =
      ggml_new_tensor(context_.get(), type, static_cast<int>(ne.size()), ne.data());
  ggml_set_name(target, name.c_str());
  auto source = checkpoint_->tensor(name, disk_shape);
  if (source) {
    requests_.push_back({std::move(*source), target, transposed});
  } else if (status_) {
    status_ = tl::unexpected(source.error());
  }
  return target;
}

// Uses the file's own memory for the tensor, where the device can and nothing has to change.
bool Loader::map(const Request& request, LoadedWeights& weights) {
  const TensorView& source = request.source;
  const bool as_it_is = !request.transposed && source.is_aligned() &&
                        type_on_disk(source.dtype) == request.target->type;
  if (!as_it_is) return false;
  auto found = wrapped_files_.find(source.file);
  if (found == wrapped_files_.end()) {
    const auto bytes = checkpoint_->files()[source.file].bytes();
    // The device gets a plain pointer; nothing ever writes to weights, and the mapping is
    // read-only.
    auto* memory = const_cast<std::byte*>(bytes.data());
    found = wrapped_files_.emplace(source.file, device_.wrap(memory, bytes.size())).first;
  }
  if (!found->second) return false;
  auto* address = const_cast<std::byte*>(source.data.data());
  ggml_backend_tensor_alloc(found->second.get(), request.target, address);
  weights.mapped_bytes += source.data.size();
  return true;
}

void Loader::convert(const Request& request) const {
  ggml_tensor* target = request.target;
  const std::int64_t columns = target->ne[0];
  const std::int64_t rows_per_matrix = target->ne[1];
  const std::int64_t rows = ggml_nrows(target);
  // About a megabyte of f32 at a time, within one matrix.
  const std::int64_t rows_per_chunk =
      std::clamp<std::int64_t>((1 << 18) / columns, 1, rows_per_matrix);
  const std::int64_t chunks_per_matrix = (rows_per_matrix + rows_per_chunk - 1) / rows_per_chunk;
  const auto chunks = static_cast<std::size_t>(chunks_per_matrix * (rows / rows_per_matrix));
  parallel_for(chunks, device_.threads(), [&](std::size_t chunk) {
    const auto matrix = static_cast<std::int64_t>(chunk) / chunks_per_matrix;
    const std::int64_t first =
        static_cast<std::int64_t>(chunk) % chunks_per_matrix * rows_per_chunk;
    const std::int64_t count = std::min(rows_per_chunk, rows_per_matrix - first);
    std::vector<float> values(static_cast<std::size_t>(count * columns));
    if (request.transposed) {
      std::vector<float> line(static_cast<std::size_t>(count));
      for (std::int64_t column = 0; column < columns; ++column) {
        const std::int64_t at = (matrix * columns + column) * rows_per_matrix + first;
        to_f32(slice(request.source, at, count), line);
        for (std::int64_t i = 0; i < count; ++i) {
          values[static_cast<std::size_t>(i * columns + column)] =
              line[static_cast<std::size_t>(i)];
        }
      }
    } else {
      const std::int64_t at = (matrix * rows_per_matrix + first) * columns;
      to_f32(slice(request.source, at, count * columns), values);
    }
    const auto bytes = encode_rows(values, target->type, columns);
    const auto offset = static_cast<std::size_t>(matrix * rows_per_matrix + first) * target->nb[1];
    ggml_backend_tensor_set(target, bytes.data(), offset, bytes.size());
  });
}

Result<LoadedWeights> Loader::finish() {
  if (!status_) return tl::unexpected(status_.error());
  LoadedWeights weights;
  std::vector<const Request*> to_convert;
  for (const Request& request : requests_) {
    if (!map(request, weights)) to_convert.push_back(&request);
  }
  if (!to_convert.empty()) {
    TRU_TRY(tensor::BufferPtr buffer, device_.allocate(context_.get()));
    ggml_backend_buffer_set_usage(buffer.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    weights.allocated_bytes = ggml_backend_buffer_get_size(buffer.get());
    weights.buffers.push_back(std::move(buffer));
    for (const Request* request : to_convert) convert(*request);
  }
  for (auto& [file, buffer] : wrapped_files_) {
    if (!buffer) continue;
    ggml_backend_buffer_set_usage(buffer.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    weights.buffers.push_back(std::move(buffer));
  }
  weights.context = std::move(context_);
  weights.checkpoint = checkpoint_;
  return weights;
}

}  // namespace tru::weights
