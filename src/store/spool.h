// A folder for files on their way through: uploads and downloads of this process.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/result.h"

namespace tru::store {

// Every process has a folder of its own below the parent, so that one that was killed leaves
// nothing behind for longer than until the next start: what no living process holds is removed.
class Spool {
 public:
  // Makes both folders, for their owner only (0700). config_invalid when they cannot be made or
  // the parent belongs to somebody else.
  static Result<Spool> open(const std::filesystem::path& parent);

  Spool(Spool&& other) noexcept;
  Spool& operator=(Spool&&) = delete;
  ~Spool();  // removes the folder with all that is in it

  const std::filesystem::path& folder() const { return folder_; }

  // storage_full unless the disk has room for a file of this size and some to spare.
  Status check_room(std::uint64_t bytes) const;

 private:
  Spool(std::filesystem::path folder, int lock) : folder_(std::move(folder)), lock_(lock) {}

  std::filesystem::path folder_;
  int lock_ = -1;  // held while the process lives
};

// A folder that only its owner can enter, made with its parents if need be. config_invalid.
Status make_private_folder(const std::filesystem::path& folder);

}  // namespace tru::store
