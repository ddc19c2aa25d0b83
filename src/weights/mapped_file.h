// A file as read-only memory.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

#include "base/result.h"

namespace tru::weights {

// Maps the whole file, which stays mapped as long as this lives (moving it keeps the address).
// Nothing is read until it is touched. The file must not shrink meanwhile: touching a page that
// is gone ends the process.
class MappedFile {
 public:
  // Errors: model_invalid for what is missing, empty, no regular file or cannot be mapped.
  static Result<MappedFile> open(const std::filesystem::path& path);

  std::span<const std::byte> bytes() const { return {data_.get(), data_.get_deleter().size}; }
  const std::filesystem::path& path() const { return path_; }

 private:
  struct Unmap {
    std::size_t size = 0;
    void operator()(const std::byte* data) const;
  };
  using Mapping = std::unique_ptr<const std::byte, Unmap>;

  MappedFile(std::filesystem::path path, Mapping data)
      : path_(std::move(path)), data_(std::move(data)) {}

  std::filesystem::path path_;
  Mapping data_;
};

}  // namespace tru::weights
