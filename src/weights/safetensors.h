// Weights in the safetensors format: 8 bytes little-endian
// header length, a JSON header {name: {dtype, shape, data_offsets}}, then the data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "weights/dtype.h"
#include "weights/mapped_file.h"

namespace tru::weights {

// A tensor inside a mapped file; valid as long as what gave it.
struct TensorView {
  std::string name;
  Dtype dtype = Dtype::f32;
  std::vector<std::int64_t> shape;  // row-major, the last index runs fastest
  // Little-endian elements, shape's product of them. The address is aligned in files from the usual
  // writers, but safetensors does not promise it.
  std::span<const std::byte> data;
  std::size_t file = 0;  // index in the files() of what gave it; beyond them: in none of them

  std::int64_t num_elements() const;
  bool is_aligned() const;  // whether the address is a multiple of alignment_bytes(dtype)
};

// One entry of a file's header, checked: data lies in the file and has shape's and dtype's size.
struct TensorEntry {
  std::string name;
  std::string dtype;  // as the file spells it; may be one that has no Dtype, such as I64
  std::vector<std::int64_t> shape;
  std::size_t offset = 0;  // bytes from the start of the file
  std::size_t size = 0;    // bytes
};

// Checks everything in the header of a file with these contents: lengths, JSON, types, sizes, and
// that the tensors fill the data part without gap or overlap (as the reference implementation
// demands). Sorted by offset. `file` is for the messages. Errors: model_invalid.
Result<std::vector<TensorEntry>> parse_safetensors_header(std::span<const std::byte> contents,
                                                          std::string_view file);

// The tensors of one model, from one file or from shards. Files are mapped, not read.
class Safetensors {
 public:
  // model.safetensors, or else the shards named by model.safetensors.index.json.
  static Result<Safetensors> open(const std::filesystem::path& dir);

  // By the name in the file. Errors: model_invalid for an unknown name and for a dtype that is
  // not a Dtype.
  Result<TensorView> tensor(std::string_view name) const;

  // Names in the files, sorted.
  std::vector<std::string> names() const;

  // The mappings that hold all tensors' data; their addresses stay as long as this lives.
  std::span<const MappedFile> files() const { return files_; }

 private:
  struct Location {
    TensorEntry entry;
    std::size_t file = 0;
  };

  Status add_file(const std::filesystem::path& path);

  std::vector<MappedFile> files_;
  std::map<std::string, Location, std::less<>> tensors_;
};

}  // namespace tru::weights
