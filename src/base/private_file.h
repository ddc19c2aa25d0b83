// A file that only this program reads, of a name nobody can guess, removed with its owner: uploads,
// downloads and whatever else must never be left behind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string_view>

#include "base/result.h"

namespace tru {

class PrivateFile {
 public:
  // A new empty file in `folder`: 128 random bits as its name, then `suffix`; mode 0600, O_EXCL.
  // storage_full when the disk has no room, else internal.
  static Result<PrivateFile> create(const std::filesystem::path& folder,
                                    std::string_view suffix = {});

  PrivateFile() = default;
  PrivateFile(PrivateFile&& other) noexcept { *this = std::move(other); }
  PrivateFile& operator=(PrivateFile&& other) noexcept;
  ~PrivateFile() { remove(); }

  // Writes all of `bytes` at the end. Blocks on the disk: not for an io thread. Errors as create.
  Status append(std::string_view bytes);

  // The file is complete: its descriptor is closed, reading by path goes on.
  void close();

  // Closes and removes it now.
  void remove();

  // Gives the file up: it stays on the disk and is the caller's.
  std::filesystem::path keep() &&;

  const std::filesystem::path& path() const { return path_; }
  std::uint64_t size_bytes() const { return size_bytes_; }

 private:
  int fd_ = -1;
  std::filesystem::path path_;  // empty: owns nothing
  std::uint64_t size_bytes_ = 0;
};

}  // namespace tru
