// Weights in llama.cpp's GGUF format, versions 2 and 3: a header with metadata (key -> value) and
// tensor entries, then the data. ggml's own reader copies what it reads and trusts offsets; these
// files come from strangers, so this one takes nothing on trust and copies nothing.
#pragma once

#include <boost/json/value.hpp>
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
#include "weights/safetensors.h"

namespace tru::weights {

// A metadata value as it lies in the file, checked to lie within it.
struct GgufValue {
  // Numbers of the format: u8 i8 u16 i16 u32 i32 f32 bool string array u64 i64 f64.
  enum Type : std::uint32_t {
    u8,
    i8,
    u16,
    i16,
    u32,
    i32,
    f32,
    boolean,
    string,
    array,
    u64,
    i64,
    f64
  };

  Type type = u8;  // of an array: of its elements, which are no arrays
  bool is_array = false;
  std::uint64_t count = 1;
  std::span<const std::byte> bytes;
};

// The header of one file, whose bytes must outlive it; nothing is copied but the names of tensors.
class GgufHeader {
 public:
  // Checks every length, type, count and offset. `file` is for the messages and is kept for those
  // of the getters. Errors: model_invalid.
  static Result<GgufHeader> parse(std::span<const std::byte> contents, std::string_view file);

  const std::string& file() const { return file_; }

  bool has(std::string_view key) const { return values_.contains(key); }

  // The value as JSON, arrays up to 4096 elements; null if there is none or it has no such form.
  boost::json::value json(std::string_view key) const;

  // A text; empty if there is none. Not checked to be UTF-8.
  std::string_view text(std::string_view key) const;

  // A list of texts, or of 32-bit integers. Errors: model_invalid if it is not there or of another
  // type.
  Result<std::vector<std::string_view>> texts(std::string_view key) const;
  Result<std::vector<std::int32_t>> integers(std::string_view key) const;

  // By name in the file: shape and data of those with a Dtype; view.file is 0, or as add_part()
  // says. Errors: model_invalid for an unknown name and a type that has no Dtype.
  Result<TensorView> tensor(std::string_view name) const;
  bool has_tensor(std::string_view name) const { return tensors_.contains(name); }
  std::size_t num_tensors() const { return tensors_.size(); }

  // Takes over the tensors of another part of the same model, whose views have this `file`.
  // Errors: model_invalid if a name is in both.
  Status add_part(GgufHeader part, std::size_t file);

 private:
  friend class GgufParser;

  struct Entry {
    std::uint32_t type = 0;           // a ggml_type
    std::vector<std::int64_t> shape;  // row-major
    std::span<const std::byte> data;  // empty if type has no Dtype
    std::size_t file = 0;
  };

  std::string file_;
  std::map<std::string_view, GgufValue, std::less<>> values_;
  std::map<std::string_view, Entry, std::less<>> tensors_;
};

}  // namespace tru::weights
