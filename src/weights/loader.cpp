#include "weights/loader.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/digest.h"
#include "weights/convert.h"
#include "weights/parallel.h"
#include "weights/tensor_list.h"

namespace tru::weights {
namespace {

constexpr std::size_t kMaxTensors = 65536;
constexpr std::int64_t kSuperBlock = 256;  // numbers in a block of the types named *_K

// A copy of `view` that holds `count` elements, whole blocks, from `first` on.
TensorView slice(const TensorView& view, std::int64_t first, std::int64_t count) {
  TensorView part = view;
  part.shape = {count};
  part.data = view.data.subspan(size_bytes(view.dtype, first), size_bytes(view.dtype, count));
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

// f32 rows, from the start of a panel on -> their panels.
std::vector<std::byte> pack_rows(std::span<const float> values, const tensor::PackedShape& shape) {
  const std::int64_t rows = static_cast<std::int64_t>(values.size()) / shape.columns;
  std::vector<std::byte> bytes(tensor::PackedShape{shape.format, rows, shape.columns}.bytes());
  for (std::int64_t row = 0; row < rows; row += tensor::kPanelRows) {
    const auto panel = static_cast<std::size_t>(row / tensor::kPanelRows) * shape.panel_bytes();
    tensor::pack_panel(shape, &values[static_cast<std::size_t>(row * shape.columns)],
                       std::min(tensor::kPanelRows, rows - row), &bytes[panel]);
  }
  return bytes;
}

// Rows [first, first + count) of a matrix that lies as [columns, rows] in the file.
void read_transposed(const TensorView& source, std::int64_t first, std::int64_t count,
                     std::int64_t rows, std::int64_t columns, std::span<float> values) {
  std::vector<float> line(static_cast<std::size_t>(count));
  for (std::int64_t column = 0; column < columns; ++column) {
    to_f32(slice(source, column * rows + first, count), line);
    for (std::int64_t i = 0; i < count; ++i) {
      values[static_cast<std::size_t>(i * columns + column)] = line[static_cast<std::size_t>(i)];
    }
  }
}

bool is_smaller_than_int8(Dtype dtype) {
  return is_quantised(dtype) && dtype != Dtype::q8_0;
}

// How many numbers int8_or_smaller may convert.
std::size_t num_not_smaller(const Checkpoint& checkpoint) {
  std::size_t sum = 0;
  for (const TensorSpec& tensor : expected_tensors(checkpoint.config())) {
    const std::vector<std::string> parts = checkpoint.expert_parts(tensor.name);
    const auto dtype = checkpoint.dtype(parts.empty() ? tensor.name : parts.front());
    if (dtype && is_smaller_than_int8(*dtype)) continue;
    sum += tensor.num_elements();
  }
  return sum;
}

std::string_view name_of(WeightFormat format) {
  switch (format) {
    case WeightFormat::checkpoint:
      return "own";
    case WeightFormat::f32:
      return "f32";
    case WeightFormat::bf16:
      return "bf16";
    case WeightFormat::int8:
      return "int8";
    case WeightFormat::int4:
      return "int4";
    case WeightFormat::int8_or_smaller:
      return "int8_or_smaller";
  }
  return "own";
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

Result<WeightFormat> choose_weight_format(std::string_view name, const Checkpoint& checkpoint,
                                          const tensor::Device& device) {
  if (name != "auto") return parse_weight_format(name);
  constexpr std::size_t kLargeBytes = std::size_t{256} << 20;
  std::size_t bytes = 0;
  for (const MappedFile& file : checkpoint.files()) bytes += file.bytes().size();
  if (!device.is_cpu() || bytes <= kLargeBytes) return WeightFormat::checkpoint;
  // A quarter of the memory is left for the rest.
  const std::size_t room = device.info().memory_free_bytes / 4 * 3;
  if (checkpoint.gguf() != nullptr) {
    const bool fits = num_not_smaller(checkpoint) <= room;
    return fits ? WeightFormat::int8_or_smaller : WeightFormat::checkpoint;
  }
  // Published safetensors have 16 bits per weight.
  return bytes / 2 <= room ? WeightFormat::int8 : WeightFormat::int4;
}

WeightFormat vision_format(WeightFormat format) {
  return format == WeightFormat::int4 ? WeightFormat::int8 : format;
}

tensor::MatrixType matrix_type(WeightFormat format, Dtype on_disk, const tensor::Device& device) {
  using tensor::PackedFormat;
  const auto packed = [&](PackedFormat ours) {
    return device.is_cpu() ? std::optional(ours) : std::nullopt;
  };
  if (format == WeightFormat::int8_or_smaller) {
    format = is_smaller_than_int8(on_disk) ? WeightFormat::checkpoint : WeightFormat::int8;
  }
  switch (format) {
    case WeightFormat::f32:
      return {GGML_TYPE_F32, {}};
    case WeightFormat::bf16:
      return {GGML_TYPE_BF16, {}};
    case WeightFormat::int8:
      return {GGML_TYPE_Q8_0, packed(PackedFormat::int8)};
    case WeightFormat::int4:
      return {GGML_TYPE_Q4_0, packed(PackedFormat::int4)};
    case WeightFormat::int8_or_smaller:
    case WeightFormat::checkpoint:
      break;
  }
  return {to_ggml(on_disk), {}};
}

Loader::Loader(std::shared_ptr<const Checkpoint> checkpoint, tensor::Device& device,
               WeightFormat format, WeightCacheConfig cache)
    : checkpoint_(std::move(checkpoint)),
      device_(device),
      format_(format),
      cache_(std::move(cache)),
      context_(tensor::make_context(kMaxTensors)) {}

tensor::MatrixType Loader::type_of(const std::string& name) const {
  return matrix_type(is_vision(name) ? vision_format(format_) : format_,
                     checkpoint_->dtype(name).value_or(Dtype::f32), device_);
}

// Quantised rows come in blocks: a matrix whose rows do not divide into them stays in bf16.
ggml_type Loader::plain_type_of(const std::string& name, std::int64_t columns) const {
  const ggml_type type = type_of(name).plain;
  return columns % ggml_blck_size(type) == 0 ? type : GGML_TYPE_BF16;
}

tensor::Matrix Loader::request_matrix(const std::string& name,
                                      const std::vector<std::int64_t>& shape,
                                      const tensor::MatrixType& type) {
  // Tied embeddings: a table and a linear layer of the same numbers.
  const auto found = plain_.find(name);
  if (!type.packed && found != plain_.end() && found->second.tensor->type == type.plain) {
    return found->second;
  }
  std::int64_t columns = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) columns *= shape[i];
  const tensor::Matrix matrix = tensor::new_matrix(context_.get(), type, shape[0], columns);
  request(name, shape,
          {.source = {},
           .target = matrix.tensor,
           .rows = shape[0],
           .columns = columns,
           .packed = type.packed});
  if (!type.packed) plain_.emplace(name, matrix);
  return matrix;
}

tensor::Matrix Loader::linear(const std::string& name, const std::vector<std::int64_t>& shape) {
  tensor::MatrixType type = type_of(name);
  std::int64_t columns = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) columns *= shape[i];
  if (!type.packed) type.plain = plain_type_of(name, columns);
  return request_matrix(name, shape, type);
}

tensor::Matrix Loader::exact_linear(const std::string& name, std::int64_t rows,
                                    std::int64_t columns) {
  return request_matrix(name, {rows, columns}, {GGML_TYPE_F32, {}});
}

ggml_tensor* Loader::table(const std::string& name, std::int64_t rows, std::int64_t columns) {
  // Few rows of it are ever read: beside packed matrices it stays as it is in the file.
  const Dtype on_disk = checkpoint_->dtype(name).value_or(Dtype::f32);
  ggml_type type = type_of(name).packed ? to_ggml(on_disk) : plain_type_of(name, columns);
  // ggml looks up rows of such blocks on CPUs only.
  if (!device_.is_cpu() && block_elements(on_disk) == kSuperBlock) type = GGML_TYPE_F16;
  return request_matrix(name, {rows, columns}, {type, {}}).tensor;
}

// The tensors in the file that a matrix of experts consists of.
std::vector<std::string> Loader::parts_of_experts(const std::string& name) const {
  const auto parts = checkpoint_->expert_parts(name);
  return parts.empty() ? std::vector{name} : parts;
}

tensor::MatrixType Loader::type_of_experts(const std::string& name, std::int64_t columns) const {
  const std::vector<std::string> parts = parts_of_experts(name);
  tensor::MatrixType type{plain_type_of(parts[0], columns), type_of(parts[0]).packed};
  for (const std::string& part : parts) {
    if (plain_type_of(part, columns) != type.plain) type.plain = GGML_TYPE_BF16;
    if (type_of(part).packed != type.packed) type.packed.reset();
  }
  return type;
}

tensor::ExpertMatrices Loader::request_experts(const std::string& name,
                                               const tensor::MatrixType& type, std::int64_t experts,
                                               std::int64_t rows, std::int64_t columns) {
  const auto matrices = tensor::new_expert_matrices(context_.get(), type, experts, rows, columns);
  Request part{.source = {},
               .target = matrices.tensor,
               .rows = rows,
               .columns = columns,
               .matrices = experts,
               .target_rows = rows,
               .transposed = checkpoint_->expert_parts(name).empty(),
               .packed = type.packed};
  if (part.transposed) {
    request(name, {experts, columns, rows}, part);
    return matrices;
  }
  const std::vector<std::string> parts = parts_of_experts(name);
  part.rows /= static_cast<std::int64_t>(parts.size());
  for (const std::string& each : parts) {
    request(each, {experts, part.rows, columns}, part);
    part.first_row += part.rows;
  }
  return matrices;
}

tensor::ExpertMlps Loader::experts(const std::string& name, std::int64_t experts,
                                   std::int64_t hidden, std::int64_t inner) {
  const std::string gate_up = name + ".gate_up_proj", down = name + ".down_proj";
  tensor::MatrixType gate_up_type = type_of_experts(gate_up, hidden);
  tensor::MatrixType down_type = type_of_experts(down, inner);
  // Both in the same way; and gate and up have panels of their own.
  const bool pack = gate_up_type.packed == down_type.packed &&
                    hidden % tensor::kGroupColumns == 0 && inner % tensor::kGroupColumns == 0;
  if (!pack) {
    gate_up_type.packed.reset();
    down_type.packed.reset();
  }
  return {request_experts(gate_up, gate_up_type, experts, 2 * inner, hidden),
          request_experts(down, down_type, experts, hidden, inner)};
}

ggml_tensor* Loader::vector(const std::string& name, std::int64_t size) {
  ggml_tensor* target = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, size);
  request(name, {size}, {.source = {}, .target = target, .rows = 1, .columns = size});
  return target;
}

std::vector<float> Loader::host_table(const std::string& name, std::int64_t rows,
                                      std::int64_t columns) {
  const auto view = checkpoint_->tensor(name, {rows, columns});
  if (view) return to_f32(*view);
  if (status_) status_ = tl::unexpected(view.error());
  return {};
}

void Loader::request(const std::string& name, const std::vector<std::int64_t>& disk_shape,
                     const Request& request) {
  ggml_set_name(request.target, name.c_str());
  auto source = checkpoint_->tensor(name, disk_shape);
  if (source) {
    requests_.push_back(request);
    requests_.back().source = std::move(*source);
  } else if (status_) {
    status_ = tl::unexpected(source.error());
  }
}

// Whether the target has the very bytes of the file.
bool Loader::Request::keeps_blocks() const {
  return !transposed && !packed && to_ggml(source.dtype) == target->type;
}

// Uses the file's own memory for the tensor, where the device can and nothing has to change.
bool Loader::map(const Request& request, LoadedWeights& weights) {
  const TensorView& source = request.source;
  const bool as_it_is = request.keeps_blocks() && source.is_aligned() &&
                        source.data.size() == ggml_nbytes(request.target) &&
                        source.file < checkpoint_->files().size();
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

void Loader::convert_rows(const Request& request, std::int64_t matrix, std::int64_t first,
                          std::int64_t count) const {
  ggml_tensor* target = request.target;
  const std::int64_t size = request.rows * request.columns;
  const std::int64_t source_at = matrix * size + first * request.columns;
  const std::size_t row_bytes = request.packed ? 0 : ggml_row_size(target->type, request.columns);
  const auto row = static_cast<std::size_t>(request.row_in_target(matrix, first));
  if (request.keeps_blocks()) {
    const auto rows = slice(request.source, source_at, count * request.columns).data;
    ggml_backend_tensor_set(target, rows.data(), row * row_bytes, rows.size());
    return;
  }
  std::vector<float> values(static_cast<std::size_t>(count * request.columns));
  if (request.transposed) {
    read_transposed(slice(request.source, matrix * size, size), first, count, request.rows,
                    request.columns, values);
  } else {
    to_f32(slice(request.source, source_at, count * request.columns), values);
  }
  if (request.packed) {
    const tensor::PackedShape shape{*request.packed, request.rows, request.columns};
    const auto bytes = pack_rows(values, shape);
    const std::size_t panel = row / static_cast<std::size_t>(tensor::kPanelRows);
    ggml_backend_tensor_set(target, bytes.data(), panel * shape.panel_bytes(), bytes.size());
    return;
  }
  const auto bytes = encode_rows(values, target->type, request.columns);
  ggml_backend_tensor_set(target, bytes.data(), row * row_bytes, bytes.size());
}

void Loader::convert(const Request& request) const {
  // About a megabyte of f32 at a time, whole panels, within one matrix.
  const std::int64_t panels = (1 << 18) / request.columns / tensor::kPanelRows;
  const std::int64_t rows_per_chunk = std::max<std::int64_t>(panels, 1) * tensor::kPanelRows;
  const std::int64_t chunks_per_matrix = (request.rows + rows_per_chunk - 1) / rows_per_chunk;
  const auto chunks = static_cast<std::size_t>(chunks_per_matrix * request.matrices);
  parallel_for(chunks, device_.threads(), [&](std::size_t chunk) {
    const auto matrix = static_cast<std::int64_t>(chunk) / chunks_per_matrix;
    const std::int64_t first =
        static_cast<std::int64_t>(chunk) % chunks_per_matrix * rows_per_chunk;
    convert_rows(request, matrix, first, std::min(rows_per_chunk, request.rows - first));
  });
}

// Where each target stands in a block of its own, and what that block is made from. The kernels'
// levels all read the same layout, so they are no part of it.
WeightCacheKey Loader::lay_out(std::span<const Request* const> requests,
                               std::vector<std::pair<ggml_tensor*, std::size_t>>& places) const {
  constexpr std::size_t kAlignment = 64;
  WeightCacheKey key{checkpoint_->config().name, std::string(name_of(format_)), {}, 0};
  Digest digest;
  for (const MappedFile& file : checkpoint_->files()) {
    std::error_code error;
    const auto path = std::filesystem::canonical(file.path(), error);
    const auto changed = std::filesystem::last_write_time(path, error).time_since_epoch();
    digest.update(fmt::format("{}\n{} {}\n", path.string(), file.bytes().size(), changed.count()));
  }
  for (const Request* request : requests) {
    const TensorView& source = request->source;
    const ggml_tensor* target = request->target;
    if (places.empty() || places.back().first != target) {
      places.emplace_back(request->target, key.bytes);
      key.bytes += (ggml_nbytes(target) + kAlignment - 1) / kAlignment * kAlignment;
    }
    digest.update(fmt::format(
        "{} {} {} {} {} {} {} {} {} {} {} {}\n", source.name, static_cast<int>(source.dtype),
        source.data.size(), static_cast<int>(target->type), places.back().second, request->rows,
        request->columns, request->matrices, request->first_row, request->transposed,
        request->packed ? static_cast<int>(*request->packed) : -1, tensor::kPackedLayoutVersion));
  }
  key.fingerprint = std::move(digest).hex();
  return key;
}

// False, with nothing done, when weights are not cached here.
bool Loader::make_cached(std::span<const Request* const> requests, LoadedWeights& weights) {
  if (!device_.is_cpu() || cache_.dir.empty()) return false;
  std::vector<std::pair<ggml_tensor*, std::size_t>> places;
  const WeightCacheKey key = lay_out(requests, places);
  if (key.bytes < cache_.least_bytes) return false;
  weights.cached = CachedWeights::open(cache_, key, device_.threads());
  const bool is_new = weights.cached == nullptr;
  if (is_new) weights.cached = CachedWeights::create(cache_, key);
  if (!weights.cached) return false;
  std::byte* memory = weights.cached->bytes().data();
  tensor::BufferPtr buffer = device_.wrap(memory, key.bytes);
  if (!buffer) return false;
  for (const auto& [target, offset] : places) {
    ggml_backend_tensor_alloc(buffer.get(), target, memory + offset);
  }
  if (is_new) {
    for (const Request* request : requests) convert(*request);
    weights.cached->keep(device_.threads());
  }
  weights.mapped_bytes += key.bytes;
  ggml_backend_buffer_set_usage(buffer.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
  weights.buffers.push_back(std::move(buffer));
  return true;
}

Status Loader::make(std::span<const Request* const> requests, LoadedWeights& weights) {
  TRU_TRY(tensor::BufferPtr buffer, device_.allocate(context_.get()));
  ggml_backend_buffer_set_usage(buffer.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
  weights.allocated_bytes = ggml_backend_buffer_get_size(buffer.get());
  weights.buffers.push_back(std::move(buffer));
  for (const Request* request : requests) convert(*request);
  return {};
}

Result<LoadedWeights> Loader::finish() {
  if (!status_) return tl::unexpected(status_.error());
  LoadedWeights weights;
  std::vector<const Request*> to_convert;
  for (const Request& request : requests_) {
    if (!map(request, weights)) to_convert.push_back(&request);
  }
  if (!to_convert.empty() && !make_cached(to_convert, weights)) {
    TRU_CHECK(make(to_convert, weights));
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
