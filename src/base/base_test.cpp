#include <gmock/gmock.h>

#include <sys/resource.h>
#include <sys/stat.h>
#include <boost/json.hpp>
#include <cmath>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <stop_token>
#include <thread>

#include "base/base64.h"
#include "base/channel.h"
#include "base/json_keys.h"
#include "base/json_text.h"
#include "base/private_file.h"
#include "base/result.h"

namespace tru {
namespace {

Result<int> half(int x) {
  if (x % 2 != 0) return fail(ErrorCode::invalid_argument, "{} is odd", x);
  return x / 2;
}

Result<int> quarter(int x) {
  TRU_TRY(const int h, half(x));
  TRU_TRY(const int q, half(h));
  return q;
}

TEST(Result, TryPassesErrorsOn) {
  EXPECT_EQ(*quarter(12), 3);
  EXPECT_EQ(quarter(6).error().message, "3 is odd");
  EXPECT_EQ(to_string(quarter(6).error().code), "invalid_argument");
}

TEST(Channel, HandsOverInOrderAndDrainsAfterClose) {
  Channel<int> channel(2);
  std::jthread sender([&] {
    for (int i = 0; i < 100; ++i) channel.send(i);
    channel.close();
  });
  for (int i = 0; i < 100; ++i) EXPECT_EQ(channel.receive(), i);
  EXPECT_EQ(channel.receive(), std::nullopt);
  EXPECT_FALSE(channel.send(1));
}

TEST(Channel, StopWakesAWaitingReceiverAndSender) {
  Channel<int> channel(1);
  std::stop_source stop;
  std::jthread receiver([&] { EXPECT_EQ(channel.receive(stop.get_token()), std::nullopt); });
  stop.request_stop();
  receiver.join();
  channel.send(1);
  EXPECT_FALSE(channel.send(2, stop.get_token()));
}

TEST(Base64, EncodesWithPadding) {
  const auto encoded = [](std::string_view text) {
    return encode_base64({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  };
  EXPECT_EQ(encoded(""), "");
  EXPECT_EQ(encoded("f"), "Zg==");
  EXPECT_EQ(encoded("fo"), "Zm8=");
  EXPECT_EQ(encoded("foo"), "Zm9v");
  EXPECT_EQ(encoded("\xfb\xff\xbf"), "+/+/");
}

TEST(Base64, DecodesBothAlphabetsAndRefusesTheRest) {
  const auto text = [](std::string_view encoded) -> std::optional<std::string> {
    const auto bytes = decode_base64(encoded);
    if (!bytes) return std::nullopt;
    return std::string(bytes->begin(), bytes->end());
  };
  EXPECT_EQ(text(""), "");
  EXPECT_EQ(text("Zg=="), "f");
  EXPECT_EQ(text("Zm8"), "fo");
  EXPECT_EQ(text("Zm9vYmFy"), "foobar");
  EXPECT_EQ(text("-_+/"), "\xfb\xff\xbf");
  EXPECT_EQ(text("Zm9v!"), std::nullopt);
  EXPECT_EQ(text("Z"), std::nullopt);
  EXPECT_EQ(text("Zg==="), std::nullopt);
}

TEST(JsonKeys, FindsAKeyThatAnObjectHasTwice) {
  EXPECT_EQ(key_given_twice(R"({"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]})"), std::nullopt);
  EXPECT_EQ(key_given_twice(R"({"a":1,"b":2,"a":3})"), "a");
  EXPECT_EQ(key_given_twice(R"({"x":[{"b":{"c":1,"c":2}}]})"), "c");
  EXPECT_EQ(key_given_twice(R"({"é":1,"\u00e9":2})"), "é");  // however it is written
  EXPECT_EQ(key_given_twice(R"({"":1,"":2})"), "");
  EXPECT_EQ(key_given_twice(R"({"a":1,"a)"), std::nullopt);
  EXPECT_EQ(key_given_twice("no JSON"), std::nullopt);
}

TEST(JsonText, WritesNumbersTheShortWayAndLosesNoBit) {
  namespace json = boost::json;
  EXPECT_EQ(to_json_text(json::array{3.0, 0.0125, -0.0, 7, nullptr, true}),
            "[3.0,0.0125,-0.0,7,null,true]");
  EXPECT_EQ(to_json_text(json::object{{"a\"b", json::object{}}, {"c", json::array{}}}),
            R"({"a\"b":{},"c":[]})");
  for (const double number : {0.1, 1e300, -9.724146127700806e-1, 5e-324, 123456789.123}) {
    EXPECT_EQ(json::parse(to_json_text(number)).get_double(), number) << number;
  }
  EXPECT_EQ(to_json_text(std::nan("")), "null");
}

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(PrivateFile, IsPrivateAndGoesWithItsOwner) {
  std::filesystem::path path;
  {
    auto file = *PrivateFile::create(testing::TempDir(), ".mp4");
    ASSERT_TRUE(file.append("ab"));
    ASSERT_TRUE(file.append("cd"));
    PrivateFile moved = std::move(file);
    path = moved.path();
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
    EXPECT_EQ(moved.size_bytes(), 4U);
    EXPECT_EQ(content_of(path), "abcd");
    EXPECT_EQ(path.extension(), ".mp4");
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(PrivateFile, StaysWhenKept) {
  auto file = *PrivateFile::create(testing::TempDir());
  ASSERT_TRUE(file.append("x"));
  const auto path = std::move(file).keep();
  EXPECT_EQ(content_of(path), "x");
  std::filesystem::remove(path);
}

TEST(PrivateFile, SaysWhenThereIsNoRoom) {
  auto file = *PrivateFile::create(testing::TempDir());
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  ::getrlimit(RLIMIT_FSIZE, &old_limit);
  const rlimit limit{4, old_limit.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &limit);
  const auto status = file.append("12345");
  ::setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::storage_full);
}

TEST(PrivateFile, NamesNoPathInErrors) {
  const auto refused = PrivateFile::create("/nowhere/at/all");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::internal);
  EXPECT_EQ(refused.error().message.find('/'), std::string::npos);
}

}  // namespace
}  // namespace tru
