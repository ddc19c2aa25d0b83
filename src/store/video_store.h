// Videos that are kept until they are deleted or their time is over: a file for each, and a small
// JSON file beside it with the facts. There is nothing to corrupt and nothing to migrate, and
// several servers may share a folder.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

#include "base/private_file.h"
#include "base/result.h"

namespace tru::store {

struct StoredVideo {
  std::string id;
  std::string sha256;  // of the content, hexadecimal
  std::string name;    // the upload's, for people
  std::string type;    // such as video/mp4
  std::uint64_t bytes = 0;
  std::filesystem::path path;
};

// Any thread may call anything. All of it blocks on the disk.
class VideoStore {
 public:
  // config_invalid when the folder cannot be made.
  static Result<VideoStore> open(const std::filesystem::path& folder,
                                 std::chrono::seconds retention);

  // Takes the file in; it must lie on the same file system. The id follows from content and owner:
  // the same video of the same owner is kept once, and its time begins anew; nobody else can find
  // out that it is there. storage_full, internal.
  Result<StoredVideo> keep(PrivateFile file, const std::string& sha256, const std::string& owner,
                           const std::string& name, const std::string& type) const;

  // not_found when there is none of this owner.
  Result<StoredVideo> find(const std::string& id, const std::string& owner) const;
  Status remove(const std::string& id, const std::string& owner) const;

  std::size_t count() const;

  // Removes what is older than the retention, and halves of videos.
  void sweep() const;

 private:
  VideoStore(std::filesystem::path folder, std::chrono::seconds retention)
      : folder_(std::move(folder)), retention_(retention) {}

  std::filesystem::path facts_path(const std::string& id) const { return folder_ / (id + ".json"); }

  std::filesystem::path folder_;
  std::chrono::seconds retention_;
};

}  // namespace tru::store
