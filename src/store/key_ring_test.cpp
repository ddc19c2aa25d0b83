#include "store/key_ring.h"

#include <gmock/gmock.h>

#include <fstream>
#include <thread>

namespace tru::store {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class KeyRingTest : public testing::Test {
 protected:
  KeyRingTest() { fs::remove_all(folder_); }
  ~KeyRingTest() override { fs::remove_all(folder_); }

  KeyRing load(const std::vector<std::string>& configured = {}) {
    auto ring = KeyRing::load(file_, configured);
    EXPECT_TRUE(ring) << ring.error().message;
    return std::move(*ring);
  }
  std::string content() const {
    std::ifstream file(file_);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  const fs::path folder_ = fs::path(testing::TempDir()) / "tru_key_ring";
  const fs::path file_ = folder_ / "sub" / "keys.json";
};

TEST_F(KeyRingTest, WithoutAFileThereAreNone) {
  const KeyRing ring = load();
  EXPECT_TRUE(ring.empty());
  EXPECT_FALSE(ring.find(""));
  EXPECT_FALSE(ring.find("anything"));
}

TEST_F(KeyRingTest, AKeyIsFoundAgainAndOnlyItsDigestIsKept) {
  KeyRing ring = load();
  const auto key = ring.add("laptop", {Scope::ask, Scope::metrics});
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_EQ(key->size(), 44);
  EXPECT_THAT(content(), Not(HasSubstr(key->substr(4))));
  EXPECT_EQ(fs::status(file_).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(fs::status(file_.parent_path()).permissions(), fs::perms::owner_all);
  const KeyRing again = load();
  for (const KeyRing* one : {&std::as_const(ring), &again}) {
    const auto info = one->find(*key);
    ASSERT_TRUE(info);
    EXPECT_EQ(info->name, "laptop");
    EXPECT_TRUE(info->allows(Scope::ask));
    EXPECT_TRUE(info->allows(Scope::metrics));
    EXPECT_FALSE(info->allows(Scope::admin));
    EXPECT_FALSE(one->find(key->substr(0, 43)));
    EXPECT_FALSE(one->find(*key + "0"));
  }
}

TEST_F(KeyRingTest, AdminAllowsEverything) {
  KeyRing ring = load();
  const auto info = ring.find(*ring.add("boss", {Scope::admin}));
  EXPECT_TRUE(info->allows(Scope::ask) && info->allows(Scope::metrics));
}

TEST_F(KeyRingTest, ConfiguredKeysAreBesideThoseOfTheFile) {
  const KeyRing ring = load({"from-the-environment"});
  EXPECT_FALSE(ring.empty());
  EXPECT_TRUE(ring.find("from-the-environment")->allows(Scope::admin));
  EXPECT_TRUE(ring.list().empty());
  EXPECT_FALSE(fs::exists(file_));
}

TEST_F(KeyRingTest, ARevokedKeyIsGoneByIdOrByAnUnambiguousName) {
  KeyRing ring = load();
  const std::string one = *ring.add("twin", {Scope::ask}), two = *ring.add("twin", {Scope::ask});
  EXPECT_EQ(ring.revoke("twin").error().code, ErrorCode::invalid_argument);
  ASSERT_TRUE(ring.revoke(ring.find(one)->id));
  EXPECT_FALSE(ring.find(one));
  EXPECT_TRUE(ring.find(two));
  ASSERT_TRUE(ring.revoke("twin"));
  EXPECT_TRUE(ring.empty());
  EXPECT_EQ(ring.revoke("twin").error().code, ErrorCode::not_found);
}

TEST_F(KeyRingTest, WhatAnotherProgramChangesIsSeenWithoutARestart) {
  KeyRing service = load();
  KeyRing tool = load();
  const std::string key = *tool.add("new", {Scope::ask});
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  EXPECT_TRUE(service.find(key));
  ASSERT_TRUE(tool.revoke("new"));
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  EXPECT_FALSE(service.find(key));
}

TEST_F(KeyRingTest, TwoProgramsLoseNoneOfEachOthersKeys) {
  KeyRing one = load(), two = load();
  std::thread thread([&] {
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(one.add("one", {Scope::ask}));
  });
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(two.add("two", {Scope::ask}));
  thread.join();
  EXPECT_EQ(load().list().size(), 40);
}

TEST_F(KeyRingTest, ADamagedFileIsAnErrorAndLocksNobodyOutWhileRunning) {
  KeyRing ring = load();
  const std::string key = *ring.add("k", {Scope::ask});
  for (const char* damage : {"", "{", "[]", R"({"keys":[{}]})", R"({"keys":[3]})",
                             R"({"keys":[{"sha256":"12","scopes":[]}]})"}) {
    std::ofstream(file_) << damage;
    const auto broken = KeyRing::load(file_);
    ASSERT_FALSE(broken) << damage;
    EXPECT_EQ(broken.error().code, ErrorCode::config_invalid);
    EXPECT_THAT(broken.error().message, HasSubstr("keys.json"));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  EXPECT_TRUE(ring.find(key));
}

TEST_F(KeyRingTest, BadNamesAndScopesAreRefused) {
  KeyRing ring = load();
  EXPECT_EQ(ring.add("", {Scope::ask}).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(ring.add(std::string(101, 'x'), {Scope::ask}).error().code,
            ErrorCode::invalid_argument);
  EXPECT_EQ(ring.add("x", {}).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(parse_scope("root").error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(*parse_scope("metrics"), Scope::metrics);
}

}  // namespace
}  // namespace tru::store
