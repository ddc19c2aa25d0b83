#include "backend/stop_strings.h"

#include <gtest/gtest.h>

namespace tru::backend {
namespace {

// What comes out when `text` is pushed in pieces of `size` bytes.
std::string answer(StopStrings& stops, std::string_view text, std::size_t size) {
  std::string out;
  for (std::size_t at = 0; at < text.size() && !stops.found(); at += size) {
    out += stops.push(text.substr(at, size));
  }
  return out + stops.finish();
}

TEST(StopStrings, EndTheAnswerHoweverItIsCut) {
  for (std::size_t size = 1; size < 12; ++size) {
    StopStrings stops({"STOP", "##"});
    EXPECT_EQ(answer(stops, "one STO two ST# STOP three", size), "one STO two ST# ") << size;
    EXPECT_TRUE(stops.found());
  }
}

TEST(StopStrings, TheOneThatComesFirstCounts) {
  StopStrings stops({"bcd", "b"});
  EXPECT_EQ(stops.push("abcd"), "a");
  EXPECT_TRUE(stops.found());
  EXPECT_EQ(stops.push("more"), "");
  EXPECT_EQ(stops.finish(), "");
}

TEST(StopStrings, HoldBackOnlyWhatMayBeABeginning) {
  StopStrings stops({"aab"});
  EXPECT_EQ(stops.push("xa"), "x");
  EXPECT_EQ(stops.push("a"), "");
  EXPECT_EQ(stops.push("a"), "a");  // "aa" may still become "aab"
  EXPECT_EQ(stops.push("c"), "aac");
  EXPECT_EQ(stops.push("a"), "");
  EXPECT_EQ(stops.finish(), "a");
  EXPECT_FALSE(stops.found());
}

TEST(StopStrings, AnEmptyOneStopsNothing) {
  StopStrings stops({""});
  EXPECT_EQ(stops.push("text"), "text");
  EXPECT_FALSE(stops.found());
}

}  // namespace
}  // namespace tru::backend
