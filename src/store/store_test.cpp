#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>

#include "base/digest.h"
#include "store/spool.h"
#include "store/video_store.h"

namespace tru::store {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::temp_directory_path() / ("store_test_" + random_hex(8));
    fs::create_directory(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  Result<StoredVideo> keep(const VideoStore& store, std::string_view content,
                           const std::string& owner) {
    PrivateFile file = *PrivateFile::create(root_);
    EXPECT_TRUE(file.append(content));
    return store.keep(std::move(file), sha256_hex(content), owner, "clip.mp4", "video/mp4");
  }

  fs::path root_;
};

using Spools = StoreTest;
using Videos = StoreTest;

TEST_F(Spools, AreGoneWithTheirOwnerAndPrivate) {
  fs::path folder;
  {
    const auto spool = Spool::open(root_ / "deep" / "spool");
    ASSERT_TRUE(spool) << spool.error().message;
    folder = spool->folder();
    struct stat status {};
    ASSERT_EQ(::stat(folder.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700u);
    std::ofstream(folder / "upload") << "bytes";
    EXPECT_TRUE(spool->check_room(1));
    EXPECT_EQ(spool->check_room(std::uint64_t{1} << 60).error().code, ErrorCode::storage_full);
  }
  EXPECT_FALSE(fs::exists(folder));
}

TEST_F(Spools, RemoveWhatADeadProcessLeftAndNothingElse) {
  const auto living = Spool::open(root_);
  std::ofstream(living->folder() / "upload") << "bytes";
  fs::create_directory(root_ / "0123.spool");
  std::ofstream(root_ / "0123.spool" / "upload") << "bytes";
  std::ofstream(root_ / "notes.txt") << "not ours";
  const auto next = Spool::open(root_);
  EXPECT_FALSE(fs::exists(root_ / "0123.spool"));
  EXPECT_TRUE(fs::exists(living->folder() / "upload"));
  EXPECT_TRUE(fs::exists(root_ / "notes.txt"));
}

TEST_F(Spools, RefuseFoldersThatAreNotOurs) {
  fs::create_directory(root_ / "elsewhere");
  fs::create_directory_symlink(root_ / "elsewhere", root_ / "link");
  EXPECT_EQ(Spool::open(root_ / "link").error().code, ErrorCode::config_invalid);
  std::ofstream(root_ / "file") << "x";
  EXPECT_EQ(Spool::open(root_ / "file").error().code, ErrorCode::config_invalid);
}

TEST_F(Videos, AreFoundByTheirOwnerOnlyUntilTheyAreRemoved) {
  const auto store = *VideoStore::open(root_ / "videos", 1h);
  const auto kept = keep(store, "bytes", "me");
  ASSERT_TRUE(kept) << kept.error().message;
  const auto found = store.find(kept->id, "me");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->sha256, sha256_hex("bytes"));
  EXPECT_EQ(found->bytes, 5u);
  EXPECT_EQ(found->name, "clip.mp4");
  EXPECT_EQ(found->type, "video/mp4");
  EXPECT_EQ(store.find(kept->id, "you").error().code, ErrorCode::not_found);
  EXPECT_EQ(store.remove(kept->id, "you").error().code, ErrorCode::not_found);
  ASSERT_TRUE(store.remove(kept->id, "me"));
  EXPECT_EQ(store.find(kept->id, "me").error().code, ErrorCode::not_found);
  EXPECT_TRUE(fs::is_empty(root_ / "videos"));
}

TEST_F(Videos, HaveAnIdOfContentAndOwner) {
  const auto store = *VideoStore::open(root_ / "videos", 1h);
  const auto mine = keep(store, "bytes", "me");
  EXPECT_EQ(keep(store, "bytes", "me")->id, mine->id);
  EXPECT_NE(keep(store, "other", "me")->id, mine->id);
  EXPECT_NE(keep(store, "bytes", "you")->id, mine->id);
  EXPECT_EQ(store.count(), 3u);
}

TEST_F(Videos, IdsAreNoPaths) {
  const auto store = *VideoStore::open(root_ / "videos", 1h);
  for (const char* id : {"", "../store", "a/b", "..", "0123456789abcdef0123456789abcde/"}) {
    EXPECT_EQ(store.find(id, "me").error().code, ErrorCode::not_found) << id;
  }
}

TEST_F(Videos, EndWithTheirTime) {
  const auto store = *VideoStore::open(root_ / "videos", 2h);
  const auto old = *keep(store, "old", "me");
  const auto young = *keep(store, "young", "me");
  const auto three_hours_ago = fs::file_time_type::clock::now() - 3h;
  for (const auto& entry : fs::directory_iterator(root_ / "videos")) {
    const std::string name = entry.path().filename();
    if (name.starts_with(old.id)) fs::last_write_time(entry.path(), three_hours_ago);
  }
  std::ofstream(root_ / "videos" / "half.part") << "x";
  fs::last_write_time(root_ / "videos" / "half.part", three_hours_ago);
  store.sweep();
  EXPECT_FALSE(store.find(old.id, "me"));
  EXPECT_TRUE(store.find(young.id, "me"));
  EXPECT_FALSE(fs::exists(root_ / "videos" / "half.part"));
}

}  // namespace
}  // namespace tru::store
