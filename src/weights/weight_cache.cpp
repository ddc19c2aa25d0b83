#include "weights/weight_cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <cstring>
#include <type_traits>
#include <vector>

#include "weights/parallel.h"

namespace tru::weights {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kHeaderBytes = 4096;  // so that the block starts on a page
constexpr std::string_view kMagic = "tru weights v1.\n";

struct Header {
  std::array<char, 16> magic;
  std::array<char, 64> fingerprint;
  std::uint64_t bytes;
  std::uint64_t checksum;
  bool operator==(const Header&) const = default;
};
static_assert(std::is_trivially_copyable_v<Header> && kMagic.size() == 16);

Header header_of(const WeightCacheKey& key, std::uint64_t sum) {
  Header header{};
  std::copy(kMagic.begin(), kMagic.end(), header.magic.begin());
  std::copy_n(key.fingerprint.begin(), std::min(key.fingerprint.size(), std::size_t{64}),
              header.fingerprint.begin());
  header.bytes = key.bytes;
  header.checksum = sum;
  return header;
}

std::string without_slashes(std::string_view text) {
  std::string name;
  for (const char c : text) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_';
    name += plain ? c : '-';
  }
  return name;
}

// What the names of all blocks of this model and format begin with.
std::string name_prefix(const WeightCacheKey& key) {
  return without_slashes(key.model) + "-" + key.format + "-";
}

// Every step is one-to-one in the state: one changed word always changes the result.
std::uint64_t piece_sum(std::span<const std::byte> piece) {
  constexpr std::uint64_t kFactor = 0x9E3779B97F4A7C15;
  constexpr std::size_t kLanes = 8, kWord = sizeof(std::uint64_t);
  std::uint64_t lanes[kLanes] = {};
  std::size_t at = 0;
  for (; at + kLanes * kWord <= piece.size(); at += kLanes * kWord) {
    std::uint64_t words[kLanes];
    std::memcpy(words, piece.data() + at, sizeof words);
    for (std::size_t i = 0; i < kLanes; ++i) {
      lanes[i] = std::rotl((lanes[i] ^ words[i]) * kFactor, 29);
    }
  }
  for (; at < piece.size(); at += kWord) {
    std::uint64_t word = 0;
    std::memcpy(&word, piece.data() + at, std::min(kWord, piece.size() - at));
    lanes[0] = std::rotl((lanes[0] ^ word) * kFactor, 29);
  }
  std::uint64_t sum = piece.size();
  for (const std::uint64_t lane : lanes) sum = std::rotl((sum ^ lane) * kFactor, 29);
  return sum;
}

}  // namespace

std::uint64_t checksum(std::span<const std::byte> bytes, int threads) {
  constexpr std::size_t kPiece = std::size_t{1} << 20;
  std::vector<std::uint64_t> sums((bytes.size() + kPiece - 1) / kPiece);
  parallel_for(sums.size(), threads, [&](std::size_t i) {
    sums[i] = piece_sum(bytes.subspan(i * kPiece, std::min(kPiece, bytes.size() - i * kPiece)));
  });
  return piece_sum(std::as_bytes(std::span(sums)));
}

std::string WeightCacheKey::file_name() const {
  return name_prefix(*this) + fingerprint.substr(0, 16) + ".weights";
}

// An open file with all of it mapped. While it is written, its name ends in ".partial" and it is
// locked.
struct CachedWeights::File {
  fs::path path;  // when it is kept
  WeightCacheKey key;
  int descriptor = -1;
  std::byte* memory = nullptr;

  std::size_t size() const { return kHeaderBytes + key.bytes; }
  fs::path partial() const { return path.string() + ".partial"; }
  std::span<std::byte> block() const { return {memory + kHeaderBytes, key.bytes}; }

  File(const WeightCacheConfig& config, const WeightCacheKey& k)
      : path(config.dir / k.file_name()), key(k) {}
  ~File() {
    if (memory != nullptr) ::munmap(memory, size());
    if (descriptor >= 0) ::close(descriptor);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool map(int protection) {
    void* address = ::mmap(nullptr, size(), protection, MAP_SHARED, descriptor, 0);
    if (address == MAP_FAILED) return false;
    memory = static_cast<std::byte*>(address);
    return true;
  }

  // Whether `name` still means the open file.
  bool is_named(const fs::path& name) const {
    struct stat open_file {
    }, named{};
    return ::fstat(descriptor, &open_file) == 0 && ::stat(name.c_str(), &named) == 0 &&
           open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev;
  }
};

CachedWeights::CachedWeights(std::unique_ptr<File> file) : file_(std::move(file)) {}
CachedWeights::~CachedWeights() = default;

std::span<std::byte> CachedWeights::bytes() const {
  return file_->block();
}

std::unique_ptr<CachedWeights> CachedWeights::open(const WeightCacheConfig& config,
                                                   const WeightCacheKey& key, int threads) {
  auto file = std::make_unique<File>(config, key);
  file->descriptor = ::open(file->path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status {};
  if (file->descriptor < 0 || ::fstat(file->descriptor, &status) != 0) return nullptr;
  if (static_cast<std::size_t>(status.st_size) != file->size()) return nullptr;
  if (!file->map(PROT_READ)) return nullptr;
  ::madvise(file->memory, file->size(), MADV_WILLNEED);
  Header header;
  std::memcpy(&header, file->memory, sizeof header);
  if (header != header_of(key, header.checksum)) return nullptr;
  if (checksum(file->block(), threads) != header.checksum) return nullptr;
  return std::unique_ptr<CachedWeights>(new CachedWeights(std::move(file)));
}

std::unique_ptr<CachedWeights> CachedWeights::create(const WeightCacheConfig& config,
                                                     const WeightCacheKey& key) {
  std::error_code error;
  fs::create_directories(config.dir, error);
  auto file = std::make_unique<File>(config, key);
  const fs::space_info space = fs::space(config.dir, error);
  if (error || space.available < file->size() + config.least_free_bytes) return nullptr;
  const std::string partial = file->partial().string();
  file->descriptor = ::open(partial.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file->descriptor < 0) return nullptr;
  // The process that made it before us may have given it its name between our two calls.
  if (::flock(file->descriptor, LOCK_EX | LOCK_NB) != 0 || !file->is_named(partial)) {
    return nullptr;
  }
  const auto size = static_cast<off_t>(file->size());
  // With its room taken, writing to the mapping cannot fail for a full disk.
  const bool ready = ::ftruncate(file->descriptor, 0) == 0 &&
                     ::posix_fallocate(file->descriptor, 0, size) == 0 &&
                     file->map(PROT_READ | PROT_WRITE);
  if (!ready) {
    fs::remove(partial, error);
    return nullptr;
  }
  return std::unique_ptr<CachedWeights>(new CachedWeights(std::move(file)));
}

void CachedWeights::keep(int threads) {
  const Header header = header_of(file_->key, checksum(file_->block(), threads));
  std::memcpy(file_->memory, &header, sizeof header);
  ::mprotect(file_->memory, file_->size(), PROT_READ);
  std::error_code error;
  fs::rename(file_->partial(), file_->path, error);
  if (error) return;
  ::flock(file_->descriptor, LOCK_UN);
  const std::string prefix = name_prefix(file_->key);
  for (const auto& entry : fs::directory_iterator(file_->path.parent_path(), error)) {
    const std::string name = entry.path().filename().string();
    const bool replaced = name.starts_with(prefix) && name.ends_with(".weights") &&
                          name.size() == file_->path.filename().string().size();
    if (replaced && entry.path() != file_->path) fs::remove(entry.path(), error);
  }
}

}  // namespace tru::weights
