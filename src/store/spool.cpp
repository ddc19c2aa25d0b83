#include "store/spool.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"

namespace tru::store {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".spool";
constexpr std::uint64_t kSpareBytes = std::uint64_t{2} << 30;

// The folder's lock, or -1 when a living process holds it.
int try_lock(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (fd >= 0 && ::flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  if (fd >= 0) ::close(fd);
  return -1;
}

void remove_deserted(const fs::path& parent) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(parent, ignored)) {
    if (entry.path().extension() != kSuffix) continue;
    const int lock = try_lock(entry.path());
    if (lock < 0) continue;
    fs::remove_all(entry.path(), ignored);
    ::close(lock);
  }
}

}  // namespace

Status make_private_folder(const fs::path& folder) {
  std::error_code error;
  if (folder.has_parent_path()) fs::create_directories(folder.parent_path(), error);
  if (::mkdir(folder.c_str(), 0700) == 0) return {};
  struct stat status {};
  // A link or a folder of somebody else's could send our files anywhere.
  const bool ours = ::lstat(folder.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
                    status.st_uid == ::geteuid() && ::access(folder.c_str(), W_OK) == 0;
  if (ours) return {};
  return fail(ErrorCode::config_invalid, "{} cannot be used as a folder of your own",
              folder.string());
}

Result<Spool> Spool::open(const fs::path& parent) {
  TRU_CHECK(make_private_folder(parent));
  remove_deserted(parent);
  const fs::path folder = parent / (random_hex(8) + std::string(kSuffix));
  TRU_CHECK(make_private_folder(folder));
  const int lock = try_lock(folder);
  if (lock < 0) return fail(ErrorCode::config_invalid, "{} cannot be locked", folder.string());
  return Spool(folder, lock);
}

Spool::Spool(Spool&& other) noexcept
    : folder_(std::exchange(other.folder_, {})), lock_(std::exchange(other.lock_, -1)) {}

Spool::~Spool() {
  if (lock_ < 0) return;
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
  ::close(lock_);
}

Status Spool::check_room(std::uint64_t bytes) const {
  std::error_code error;
  const fs::space_info space = fs::space(folder_, error);
  if (error || space.available >= bytes + kSpareBytes) return {};
  return fail(ErrorCode::storage_full, "there is no room left on the disk");
}

}  // namespace tru::store
