#include "base/private_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/assert.h"
#include "base/digest.h"

namespace tru {
namespace {

// Only what the caller can act on: the path and the system's words would end in an answer.
tl::unexpected<Error> disk_error(int error) {
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    return fail(ErrorCode::storage_full, "there is no room left on the disk for this file");
  }
  return fail(ErrorCode::internal, "the file could not be written");
}

}  // namespace

Result<PrivateFile> PrivateFile::create(const std::filesystem::path& folder,
                                        std::string_view suffix) {
  PrivateFile file;
  auto path = folder / random_hex(16).append(suffix);
  file.fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file.fd_ < 0) return disk_error(errno);
  file.path_ = std::move(path);
  return file;
}

PrivateFile& PrivateFile::operator=(PrivateFile&& other) noexcept {
  if (this == &other) return *this;
  remove();
  fd_ = std::exchange(other.fd_, -1);
  path_ = std::exchange(other.path_, {});
  size_bytes_ = std::exchange(other.size_bytes_, 0);
  return *this;
}

Status PrivateFile::append(std::string_view bytes) {
  TRU_ASSERT(fd_ >= 0);
  while (!bytes.empty()) {
    const auto written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return disk_error(errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
    size_bytes_ += static_cast<std::uint64_t>(written);
  }
  return {};
}

void PrivateFile::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void PrivateFile::remove() {
  close();
  if (!path_.empty()) ::unlink(path_.c_str());
  path_.clear();
}

std::filesystem::path PrivateFile::keep() && {
  close();
  return std::exchange(path_, {});
}

}  // namespace tru
