#include "fetch/hub_cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

namespace tru::fetch {
namespace {

namespace fs = std::filesystem;

tl::unexpected<Error> disk_error(const fs::path& path, int number) {
  if (number == ENOSPC || number == EDQUOT) {
    return fail(ErrorCode::storage_full, "{}: the disk is full; free some space and run it again",
                path.string());
  }
  return fail(ErrorCode::model_invalid, "{}: {}", path.string(), std::strerror(number));
}

Status make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return disk_error(path, error.value());
  return {};
}

// Puts `make`'s result at `path` in one step, over what is there.
template <typename Make>
Status replace(const fs::path& path, const Make& make) {
  TRU_CHECK(make_folder(path.parent_path()));
  const fs::path temporary = fmt::format("{}.{}.tmp", path.string(), random_hex(4));
  std::error_code error = make(temporary);
  if (!error) fs::rename(temporary, path, error);
  if (!error) return {};
  std::error_code ignored;
  fs::remove(temporary, ignored);
  return disk_error(path, error.value());
}

std::error_code write_file(const fs::path& path, std::string_view text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return {errno, std::generic_category()};
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int number = written ? 0 : errno;
  ::close(fd);
  return {number, std::generic_category()};
}

}  // namespace

HubCache::HubCache(const fs::path& cache, const std::string& id) {
  std::string folder = "models--" + id;
  folder.replace(folder.find('/'), 1, "--");
  repo_ = cache / folder;
  locks_ = cache / ".locks" / folder;
}

fs::path HubCache::snapshot(const std::string& commit) const {
  return repo_ / "snapshots" / commit;
}
fs::path HubCache::blob(const std::string& etag) const {
  return repo_ / "blobs" / etag;
}
fs::path HubCache::lock(const std::string& etag) const {
  return locks_ / (etag + ".lock");
}

bool HubCache::has(const std::string& commit, const std::string& name) const {
  std::error_code error;
  return fs::is_regular_file(snapshot(commit) / name, error);
}

Status HubCache::make_folders(const std::string& commit) const {
  TRU_CHECK(make_folder(snapshot(commit)));
  TRU_CHECK(make_folder(repo_ / "blobs"));
  return make_folder(locks_);
}

Status HubCache::link(const std::string& commit, const HubFile& file) const {
  fs::path target = fs::path("..") / ".." / "blobs" / file.etag;
  const auto depth = std::count(file.name.begin(), file.name.end(), '/');
  for (auto i = depth; i > 0; --i) target = ".." / target;
  return replace(snapshot(commit) / file.name, [&](const fs::path& temporary) {
    std::error_code error;
    fs::create_symlink(target, temporary, error);
    return error;
  });
}

Status HubCache::set_ref(const std::string& revision, const std::string& commit) const {
  if (revision == commit) return {};
  return replace(repo_ / "refs" / revision,
                 [&](const fs::path& temporary) { return write_file(temporary, commit); });
}

std::int64_t HubCache::free_bytes() const {
  std::error_code error;
  const fs::space_info space = fs::space(repo_, error);
  return error ? 0 : static_cast<std::int64_t>(space.available);
}

Result<BlobLock> BlobLock::acquire(const fs::path& path, std::stop_token stop) {
  while (true) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return disk_error(path, errno);
    BlobLock lock(fd);
    while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK && errno != EINTR) return disk_error(path, errno);
      if (stop.stop_requested()) return fail(ErrorCode::cancelled, "stopped");
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    // Others may remove the file when they are done: then this is a lock on nothing.
    struct stat mine, there;
    if (::fstat(fd, &mine) == 0 && ::stat(path.c_str(), &there) == 0 &&
        mine.st_ino == there.st_ino && mine.st_dev == there.st_dev) {
      return lock;
    }
  }
}

BlobLock::~BlobLock() {
  if (fd_ >= 0) ::close(fd_);
}

PartialBlob::PartialBlob(PartialBlob&& other) noexcept
    : blob_(std::move(other.blob_)),
      file_(std::move(other.file_)),
      on_bytes_(std::move(other.on_bytes_)),
      fd_(std::exchange(other.fd_, -1)),
      size_(other.size_),
      digest_(std::move(other.digest_)) {}

PartialBlob::~PartialBlob() {
  if (fd_ >= 0) ::close(fd_);
}

fs::path PartialBlob::partial_path() const {
  return blob_.string() + ".incomplete";
}

void PartialBlob::start_digest() {
  digest_.reset();
  if (file_.etag.find_first_not_of("0123456789abcdef") != file_.etag.npos) return;
  if (file_.etag.size() == 64) digest_.emplace(DigestKind::sha256);
  if (file_.etag.size() == 40) {
    // As git names its blobs.
    digest_.emplace(DigestKind::sha1);
    digest_->update(fmt::format("blob {}", file_.size) + '\0');
  }
}

Result<PartialBlob> PartialBlob::open(const fs::path& blob, const HubFile& file, OnBytes on_bytes) {
  PartialBlob partial(blob, file, std::move(on_bytes));
  const fs::path path = partial.partial_path();
  partial.fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (partial.fd_ < 0) return disk_error(path, errno);
  partial.start_digest();
  std::vector<char> buffer(1 << 20);
  while (true) {
    const ssize_t count = ::read(partial.fd_, buffer.data(), buffer.size());
    if (count < 0) return disk_error(path, errno);
    if (count == 0) break;
    partial.size_ += count;
    if (partial.size_ > file.size) break;
    if (partial.digest_) partial.digest_->update({buffer.data(), static_cast<std::size_t>(count)});
  }
  partial.on_bytes_(partial.size_);
  if (partial.size_ > file.size) TRU_CHECK(partial.restart());
  return partial;
}

Status PartialBlob::restart() {
  if (::ftruncate(fd_, 0) != 0 || ::lseek(fd_, 0, SEEK_SET) != 0) {
    return disk_error(partial_path(), errno);
  }
  on_bytes_(-std::exchange(size_, 0));
  start_digest();
  return {};
}

Status PartialBlob::append(std::string_view bytes) {
  if (size_ + static_cast<std::int64_t>(bytes.size()) > file_.size) {
    return fail(ErrorCode::busy, "more bytes came than {} has", file_.name);
  }
  for (std::string_view rest = bytes; !rest.empty();) {
    const ssize_t count = ::write(fd_, rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return disk_error(partial_path(), errno);
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
  size_ += static_cast<std::int64_t>(bytes.size());
  if (digest_) digest_->update(bytes);
  on_bytes_(static_cast<std::int64_t>(bytes.size()));
  return {};
}

Result<bool> PartialBlob::finish() {
  if (digest_ && std::move(*digest_).hex() != file_.etag) {
    TRU_CHECK(restart());
    return false;
  }
  std::error_code error;
  if (::fsync(fd_) != 0) return disk_error(partial_path(), errno);
  fs::rename(partial_path(), blob_, error);
  if (error) return disk_error(blob_, error.value());
  return true;
}

}  // namespace tru::fetch
