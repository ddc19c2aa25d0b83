#include "backend/remote/sse_reader.h"

#include <gmock/gmock.h>

namespace tru::backend {
namespace {

using testing::ElementsAre;

std::vector<std::string> read(const std::vector<std::string>& pieces) {
  std::vector<std::string> events;
  SseReader reader([&](const std::string& data) -> Status {
    events.push_back(data);
    return {};
  });
  for (const std::string& piece : pieces) {
    if (const Status status = reader.push(piece); !status) {
      events.push_back(std::string(to_string(status.error().code)));
      break;
    }
  }
  return events;
}

TEST(SseReader, ReadsTheDataOfEvents) {
  EXPECT_THAT(read({": hello\n\ndata: a\n\nid: 7\nevent: x\ndata:b\ndata:  c\nretry: 1\n\n"}),
              ElementsAre("a", "b\n c"));
  EXPECT_THAT(read({"\n\ndata\n\nid: 1\n\ndata: cut off"}), ElementsAre());
}

TEST(SseReader, PiecesMayEndAnywhere) {
  const std::string stream = "data: {\"a\":1}\r\n\r\n:\r\rdata: x\rdata: y\r\n\ndata: z\n\n";
  const std::vector<std::string> whole = read({stream});
  EXPECT_THAT(whole, ElementsAre("{\"a\":1}", "x\ny", "z"));
  for (std::size_t at = 0; at <= stream.size(); ++at) {
    EXPECT_EQ(read({stream.substr(0, at), stream.substr(at)}), whole) << at;
  }
  std::vector<std::string> bytes;
  for (const char c : stream) bytes.emplace_back(1, c);
  EXPECT_EQ(read(bytes), whole);
}

TEST(SseReader, HasLimits) {
  EXPECT_THAT(read({std::string("data: a\n\ndata: \0b\n\n", 19)}),
              ElementsAre("a", "backend_protocol"));
  const std::string megabyte(1 << 20, 'x');
  EXPECT_THAT(read({"data: ", megabyte, megabyte, megabyte, "\n\n"}), testing::SizeIs(1));
  EXPECT_THAT(read({"data: ", megabyte, megabyte, megabyte, megabyte, "\n\n"}),
              ElementsAre("backend_protocol"));
  // Also over many lines.
  EXPECT_THAT(read(std::vector<std::string>(5, "data: " + megabyte + "\n")),
              ElementsAre("backend_protocol"));
}

TEST(SseReader, PassesErrorsOn) {
  SseReader reader([](const std::string&) { return fail(ErrorCode::internal, "enough"); });
  EXPECT_EQ(reader.push("data: a\n\ndata: b\n\n").error().message, "enough");
}

}  // namespace
}  // namespace tru::backend
