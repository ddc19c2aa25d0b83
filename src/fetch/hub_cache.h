// A model's folder in the hub's cache, in the layout that huggingface_hub and others share:
//   models--ORG--NAME/blobs/ETAG[.incomplete]   contents
//   models--ORG--NAME/snapshots/COMMIT/FILE     links to blobs
//   models--ORG--NAME/refs/REVISION             holds a COMMIT
//   .locks/models--ORG--NAME/ETAG.lock          held (flock) while a blob is written
#pragma once

#include <functional>
#include <optional>

#include "base/digest.h"
#include "fetch/hub_client.h"

namespace tru::fetch {

// Errors of all: storage_full, or model_invalid when a folder can't be written.
class HubCache {
 public:
  HubCache(const std::filesystem::path& cache, const std::string& id);

  std::filesystem::path snapshot(const std::string& commit) const;
  std::filesystem::path blob(const std::string& etag) const;
  std::filesystem::path lock(const std::string& etag) const;
  bool has(const std::string& commit, const std::string& name) const;
  Status make_folders(const std::string& commit) const;
  Status link(const std::string& commit, const HubFile& file) const;
  Status set_ref(const std::string& revision, const std::string& commit) const;
  std::int64_t free_bytes() const;

 private:
  std::filesystem::path repo_;
  std::filesystem::path locks_;
};

// Keeps other programs from writing the same blob.
class BlobLock {
 public:
  // Waits until the others are done. Errors: cancelled, model_invalid.
  static Result<BlobLock> acquire(const std::filesystem::path& path, std::stop_token stop);
  BlobLock(BlobLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  BlobLock& operator=(BlobLock&&) = delete;
  ~BlobLock();

 private:
  explicit BlobLock(int fd) : fd_(fd) {}
  int fd_;
};

// A blob that is being written. What was written stays when the transfer ends early.
class PartialBlob : public HubSink {
 public:
  using OnBytes = std::function<void(std::int64_t bytes)>;

  // Goes on with what is there, which is read for the digest.
  static Result<PartialBlob> open(const std::filesystem::path& blob, const HubFile& file,
                                  OnBytes on_bytes);
  PartialBlob(PartialBlob&& other) noexcept;
  PartialBlob& operator=(PartialBlob&&) = delete;
  ~PartialBlob() override;

  Status restart() override;
  Status append(std::string_view bytes) override;

  std::int64_t size() const { return size_; }
  bool complete() const { return size_ == file_.size; }
  // A complete one becomes the blob if its digest is the file's; false: it is not, and all must
  // come again.
  Result<bool> finish();

 private:
  PartialBlob(std::filesystem::path blob, HubFile file, OnBytes on_bytes)
      : blob_(std::move(blob)), file_(std::move(file)), on_bytes_(std::move(on_bytes)) {}
  void start_digest();
  std::filesystem::path partial_path() const;

  std::filesystem::path blob_;
  HubFile file_;
  OnBytes on_bytes_;
  int fd_ = -1;
  std::int64_t size_ = 0;
  std::optional<Digest> digest_;  // none: the hub tells no digest that we know
};

}  // namespace tru::fetch
