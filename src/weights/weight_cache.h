// Converted weights kept on disk: a second start maps them instead of converting again.
//
// A file is a page of header and the block of weights. The header holds the block's size and
// checksum and the fingerprint of everything it was made from; a file that differs in any of them
// is made anew. Files come into being under another name, and get theirs when they are whole.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace tru::weights {

struct WeightCacheConfig {
  std::filesystem::path dir;                            // empty: no cache
  std::size_t least_bytes = std::size_t{64} << 20;      // smaller blocks are quick to convert
  std::size_t least_free_bytes = std::size_t{2} << 30;  // left on the disk beside the block
};

// What a block is, for the name of its file and the check of its content.
struct WeightCacheKey {
  std::string model;   // any text; a later block of the same model and format replaces this one
  std::string format;  // as in --weights
  std::string fingerprint;  // sha256 of sources, types and layout, 64 hexadecimal digits
  std::size_t bytes = 0;

  std::string file_name() const;
};

// A block in memory that a file backs.
class CachedWeights {
 public:
  // What an earlier start kept, read-only, its checksum verified on `threads` threads. Null if
  // there is nothing, or not what the key says.
  static std::unique_ptr<CachedWeights> open(const WeightCacheConfig& config,
                                             const WeightCacheKey& key, int threads);
  // A block to write to: zeros, with their room on the disk taken. Null if the folder is not to be
  // written, the disk would get too full, or another process is making the same file.
  static std::unique_ptr<CachedWeights> create(const WeightCacheConfig& config,
                                               const WeightCacheKey& key);
  ~CachedWeights();
  CachedWeights(const CachedWeights&) = delete;
  CachedWeights& operator=(const CachedWeights&) = delete;

  std::span<std::byte> bytes() const;

  // For a created block that is filled: gives the file its name and removes what it replaces. The
  // block stays mapped and may only be read. Without effect when the disk fails: the next start
  // converts again.
  void keep(int threads);

 private:
  struct File;
  explicit CachedWeights(std::unique_ptr<File> file);
  std::unique_ptr<File> file_;
};

// Of a block, by `threads` threads at the speed of memory: finds damage, not malice.
std::uint64_t checksum(std::span<const std::byte> bytes, int threads);

}  // namespace tru::weights
