#include "http/trace_context.h"

#include <gmock/gmock.h>

namespace tru::http {
namespace {

constexpr const char* kField = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(TraceContext, IsReadAndPassedOnAsAStepOfOurs) {
  const auto context = parse_traceparent(kField);
  ASSERT_TRUE(context);
  EXPECT_EQ(context->trace_id, "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(context->parent_id, "b7ad6b7169203331");
  const auto child = parse_traceparent(child_traceparent(*context));
  ASSERT_TRUE(child);
  EXPECT_EQ(child->trace_id, context->trace_id);
  EXPECT_NE(child->parent_id, context->parent_id);
  EXPECT_EQ(child->flags, "01");
}

TEST(TraceContext, OfALaterVersionMayBeLonger) {
  const std::string later = "cc" + std::string(kField).substr(2);
  EXPECT_TRUE(parse_traceparent(later));
  EXPECT_TRUE(parse_traceparent(later + "-what-comes"));
  EXPECT_FALSE(parse_traceparent(later + ".what-comes"));
}

TEST(TraceContext, IsIgnoredWhenItIsNotValid) {
  for (const char* field :
       {"", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x",
        "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}) {
    EXPECT_FALSE(parse_traceparent(field)) << field;
  }
}

}  // namespace
}  // namespace tru::http
