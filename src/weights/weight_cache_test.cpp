#include "weights/weight_cache.h"

#include <gmock/gmock.h>

#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "weights/test_files.h"

namespace tru::weights {
namespace {

namespace fs = std::filesystem;

class WeightCache : public testing::Test {
 protected:
  WeightCache() { config.dir = dir.path() / "cache"; }

  // Fills a new block and keeps it.
  void make(const WeightCacheKey& k) {
    const auto block = CachedWeights::create(config, k);
    ASSERT_TRUE(block);
    for (std::size_t i = 0; i < k.bytes; ++i) block->bytes()[i] = value(i);
    block->keep(2);
  }
  static std::byte value(std::size_t i) { return static_cast<std::byte>(i * 7 + i / 1000); }
  bool opens(const WeightCacheKey& k) { return CachedWeights::open(config, k, 2) != nullptr; }
  fs::path file() const { return config.dir / key.file_name(); }

  TempDir dir;
  WeightCacheConfig config{.dir = {}, .least_bytes = 0, .least_free_bytes = 0};
  WeightCacheKey key{"Org/Model", "int8", std::string(64, 'a'), 3'000'001};
};

TEST_F(WeightCache, GivesBackWhatWasKept) {
  EXPECT_FALSE(opens(key));
  make(key);
  const auto block = CachedWeights::open(config, key, 3);
  ASSERT_TRUE(block);
  ASSERT_EQ(block->bytes().size(), key.bytes);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block->bytes().data()) % 64, 0u);
  for (std::size_t i = 0; i < key.bytes; ++i) ASSERT_EQ(block->bytes()[i], value(i)) << i;
}

TEST_F(WeightCache, AnUnfinishedBlockIsNotThere) {
  { const auto block = CachedWeights::create(config, key); }
  EXPECT_FALSE(opens(key));
  make(key);  // takes over what the first one left
  EXPECT_TRUE(opens(key));
}

TEST_F(WeightCache, OnlyOneAtATimeMakesAFile) {
  const auto first = CachedWeights::create(config, key);
  ASSERT_TRUE(first);
  EXPECT_FALSE(CachedWeights::create(config, key));
  first->keep(1);
  EXPECT_TRUE(CachedWeights::create(config, key));
}

TEST_F(WeightCache, FindsEveryChangedByte) {
  make(key);
  for (const std::size_t at : {4096u, 4097u, 500'000u, 3'004'096u}) {
    std::fstream change(file(), std::ios::in | std::ios::out | std::ios::binary);
    change.seekg(static_cast<std::streamoff>(at));
    const int byte = change.get();
    change.seekp(static_cast<std::streamoff>(at));
    change.put(static_cast<char>(byte ^ 0x10));
    change.close();
    EXPECT_FALSE(opens(key)) << at;
    make(key);
    EXPECT_TRUE(opens(key));
  }
}

TEST_F(WeightCache, FindsATruncatedFile) {
  for (const std::size_t size : {0u, 100u, 4096u, 2'000'000u}) {
    make(key);
    fs::resize_file(file(), size);
    EXPECT_FALSE(opens(key)) << size;
  }
}

TEST_F(WeightCache, AnotherFingerprintSizeOrFormatIsAnotherBlock) {
  make(key);
  WeightCacheKey other = key;
  other.fingerprint.back() = 'b';  // the same file name
  EXPECT_FALSE(opens(other));
  other = key;
  other.bytes += 64;
  EXPECT_FALSE(opens(other));
  other = key;
  other.format = "int4";
  EXPECT_FALSE(opens(other));
  make(other);
  EXPECT_TRUE(opens(key)) << "formats stand beside each other";
}

TEST_F(WeightCache, ANewBlockReplacesTheModelsOldOne) {
  make(key);
  WeightCacheKey newer = key;
  newer.fingerprint = std::string(64, 'c');
  make(newer);
  EXPECT_TRUE(opens(newer));
  EXPECT_FALSE(fs::exists(file()));
}

TEST_F(WeightCache, LeavesRoomOnTheDisk) {
  config.least_free_bytes = fs::space(dir.path()).capacity;
  EXPECT_FALSE(CachedWeights::create(config, key));
  EXPECT_TRUE(fs::is_empty(config.dir));
}

TEST_F(WeightCache, AFolderThatCannotBeWrittenIsNoCache) {
  std::ofstream(config.dir) << "a file";
  EXPECT_FALSE(CachedWeights::create(config, key));
  EXPECT_FALSE(opens(key));
}

TEST(Checksum, DependsOnNothingButTheBytes) {
  std::vector<std::byte> bytes(5'000'003);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i % 251);
  const std::uint64_t sum = checksum(bytes, 1);
  EXPECT_EQ(checksum(bytes, 3), sum);
  std::swap(bytes[1], bytes[2'000'000]);
  EXPECT_NE(checksum(bytes, 1), sum);
}

}  // namespace
}  // namespace tru::weights
