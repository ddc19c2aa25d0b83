// A file opened once and read by position, so that several readers can share it and nobody can
// exchange it between probing and decoding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"

namespace tru::media {

class InputFile {
 public:
  // name: for people; the path's own if empty. media_not_found, or media_empty for zero bytes.
  static Result<std::shared_ptr<const InputFile>> open(const std::filesystem::path& path,
                                                       std::string name = {});

  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& name() const { return name_; }  // without folders
  std::int64_t size_bytes() const { return size_bytes_; }

  // Fills at most count bytes from position; the number read, 0 at the end, -1 on a disk error.
  std::int64_t read(std::int64_t position, std::uint8_t* to, std::size_t count) const;

 private:
  InputFile(int fd, std::int64_t size_bytes, std::string name)
      : fd_(fd), size_bytes_(size_bytes), name_(std::move(name)) {}

  const int fd_;
  const std::int64_t size_bytes_;
  const std::string name_;
};

}  // namespace tru::media
