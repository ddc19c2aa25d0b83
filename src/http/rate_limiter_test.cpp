#include "http/rate_limiter.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace tru::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const RateLimiter::Clock::time_point kStart{};

TEST(RateLimiter, AllowsABurstAndThenAnEvenFlow) {
  RateLimiter limiter(60, 60);
  for (int i = 0; i < 60; ++i) {
    const auto verdict = limiter.take("a", kStart);
    EXPECT_TRUE(verdict.allowed);
    EXPECT_EQ(verdict.limit, 60);
    EXPECT_EQ(verdict.remaining, 59 - i);
    EXPECT_EQ(verdict.reset_s, i + 1);
  }
  const auto refused = limiter.take("a", kStart);
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.retry_after_s, 1);
  EXPECT_EQ(refused.remaining, 0);
  EXPECT_FALSE(limiter.take("a", kStart + milliseconds(900)).allowed);
  EXPECT_TRUE(limiter.take("a", kStart + milliseconds(1100)).allowed);
  EXPECT_FALSE(limiter.take("a", kStart + milliseconds(1200)).allowed);
}

TEST(RateLimiter, SaysHowLongToWait) {
  RateLimiter limiter(1, 3600);
  EXPECT_TRUE(limiter.take("a", kStart).allowed);
  EXPECT_EQ(limiter.take("a", kStart + seconds(600)).retry_after_s, 3000);
  EXPECT_TRUE(limiter.take("a", kStart + seconds(3600)).allowed);
}

TEST(RateLimiter, ARefusedRequestCostsNothingAndIdleTimeIsNotHoarded) {
  RateLimiter limiter(2, 2);
  limiter.take("a", kStart);
  limiter.take("a", kStart);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(limiter.take("a", kStart).allowed);
  EXPECT_TRUE(limiter.take("a", kStart + seconds(1)).allowed);
  EXPECT_EQ(limiter.take("a", kStart + seconds(1000)).remaining, 1);
}

TEST(RateLimiter, ClientsDoNotTakeEachOthersShare) {
  RateLimiter limiter(1, 60);
  EXPECT_TRUE(limiter.take("a", kStart).allowed);
  EXPECT_TRUE(limiter.take("b", kStart).allowed);
  EXPECT_FALSE(limiter.take("a", kStart).allowed);
}

TEST(RateLimiter, AClockThatGoesBackGivesNothingAway) {
  RateLimiter limiter(1, 60);
  EXPECT_TRUE(limiter.take("a", kStart + seconds(60)).allowed);
  EXPECT_FALSE(limiter.take("a", kStart).allowed);
  EXPECT_FALSE(limiter.take("a", kStart + seconds(60)).allowed);
}

TEST(RateLimiter, CountsAmountsAsTheyWereAnnouncedAndThenAsTheyCame) {
  RateLimiter limiter(1000, 1000);
  EXPECT_TRUE(limiter.take("a", kStart, 600).allowed);
  const auto refused = limiter.take("a", kStart, 600);
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.remaining, 400);
  EXPECT_EQ(refused.retry_after_s, 200);
  limiter.correct("a", -600);  // none of it came
  EXPECT_TRUE(limiter.take("a", kStart, 600).allowed);
  limiter.correct("a", 400);
  EXPECT_EQ(limiter.take("a", kStart).remaining, 0);
}

TEST(RateLimiter, AllowsMoreThanABucketHoldsOnlyWhenItIsFull) {
  RateLimiter limiter(1000, 1000);
  EXPECT_TRUE(limiter.take("a", kStart, 3000).allowed);
  const auto later = limiter.take("a", kStart + seconds(1000));
  EXPECT_FALSE(later.allowed);
  EXPECT_EQ(later.remaining, 0);
  EXPECT_TRUE(limiter.take("a", kStart + seconds(2001)).allowed);
}

TEST(RateLimiter, ForgetsTheClientThatWasAwayLongest) {
  RateLimiter limiter(1, 60, 3);
  for (const char* client : {"a", "b", "c"}) EXPECT_TRUE(limiter.take(client, kStart).allowed);
  EXPECT_FALSE(limiter.take("a", kStart).allowed);
  EXPECT_TRUE(limiter.take("d", kStart).allowed);  // b is forgotten
  EXPECT_EQ(limiter.num_clients(), 3);
  EXPECT_FALSE(limiter.take("a", kStart).allowed);
  EXPECT_TRUE(limiter.take("b", kStart).allowed);
}

TEST(RateLimiter, CountsRightlyFromSeveralThreads) {
  RateLimiter limiter(1000, 1e9);
  std::atomic<int> allowed = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int j = 0; j < 500; ++j) allowed += limiter.take("a", kStart).allowed ? 1 : 0;
      });
    }
  }
  EXPECT_EQ(allowed, 1000);
}

TEST(RateLimitName, IsTheAddressOrTheNetworkOfAnIPv6Host) {
  const auto name = [](const char* text) { return rate_limit_name(*Address::parse(text)); };
  EXPECT_EQ(name("192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(name("::ffff:192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(name("2001:db8:1:2:3:4:5:6"), name("2001:db8:1:2:ffff::1"));
  EXPECT_NE(name("2001:db8:1:2::1"), name("2001:db8:1:3::1"));
}

}  // namespace
}  // namespace tru::http
