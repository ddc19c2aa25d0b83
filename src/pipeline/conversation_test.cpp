#include "pipeline/conversation.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace tru::pipeline {
namespace {

namespace json = boost::json;
using testing::HasSubstr;
using text::PartKind;

Result<Conversation> parse(std::string_view text) {
  return parse_conversation(json::parse(text));
}

// A file of messages in a folder of its own, both removed with this.
class MessagesFile {
 public:
  explicit MessagesFile(const std::string& text) {
    std::string name = testing::TempDir() + "tru_messages_XXXXXX";
    folder_ = ::mkdtemp(name.data());
    std::ofstream(path()) << text;
  }
  ~MessagesFile() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  MessagesFile(const MessagesFile&) = delete;
  MessagesFile& operator=(const MessagesFile&) = delete;

  std::string path() const { return folder_ / "messages.json"; }
  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
};

TEST(Conversation, KeepsThePartsAndCountsTheMedia) {
  const auto read = parse(R"([
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [
      {"type": "text", "text": "A "},
      {"type": "video_url", "video_url": {"url": "a.mp4"}},
      {"type": "image_url", "image_url": "b.png"},
      {"type": "input_video", "input_video": {"data": "AAAA"}},
      {"type": "text", "text": "Which?"}]},
    {"role": "assistant", "content": "Both."}])");
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->messages.size(), 3u);
  const auto& parts = read->messages[1].parts;
  ASSERT_EQ(parts.size(), 5u);
  EXPECT_EQ(parts[1].kind, PartKind::video);
  EXPECT_EQ(parts[2].kind, PartKind::image);
  EXPECT_EQ(parts[2].media_index, 1u);
  EXPECT_EQ(parts[3].media_index, 2u);
  ASSERT_EQ(read->media.size(), 3u);
  EXPECT_EQ(read->media[0].url, "a.mp4");
  EXPECT_EQ(read->media[1].url, "b.png");
  EXPECT_EQ(read->media[2].url, "data:video/mp4;base64,AAAA");
  EXPECT_EQ(last_user_text(read->messages), "A Which?");
}

TEST(Conversation, NamesThePlaceOfWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"{}", "list"},
      {"[]", "at least one"},
      {"[1]", "messages[0] must be an object"},
      {R"([{"content": "x"}])", "messages[0].role"},
      {R"([{"role": 5, "content": "x"}])", "messages[0].role"},
      {R"([{"role": "user"}])", "messages[0].content"},
      {R"([{"role": "user", "content": {"text": "x"}}])", "messages[0].content"},
      {R"([{"role": "user", "content": null}])", "messages[0].content"},
      {R"([{"role": "user", "content": ["x"]}])", "messages[0].content[0] must be an object"},
      {R"([{"role": "user", "content": [{"text": "x"}]}])", "messages[0].content[0].type"},
      {R"([{"role": "user", "content": [{"type": "text"}]}])", "messages[0].content[0].text"},
      {R"([{"role": "user", "content": [{"type": "audio_url"}]}])",
       "'audio_url'; allowed are text"},
      {R"([{"role": "user", "content": "x"}, {"role": "user", "content":
           [{"type": "video_url", "video_url": {"url": 7}}]}])",
       "messages[1].content[0].video_url.url must be a string"},
      {R"([{"role": "user", "content": [{"type": "image_url"}]}])", "image_url must be a string"},
  };
  for (const auto& [text, place] : cases) {
    const auto read = parse(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(read.error().message, HasSubstr(place)) << text;
  }
}

TEST(Conversation, FilesHoldTheListOrAnObjectWithIt) {
  const MessagesFile list(R"([{"role": "user", "content": "one"}])");
  const MessagesFile object(R"({"model": "x", "messages": [{"role": "user", "content": "two"}]})");
  EXPECT_EQ(last_user_text(load_conversation(list.path())->messages), "one");
  EXPECT_EQ(last_user_text(load_conversation(object.path())->messages), "two");
}

TEST(Conversation, RelativeMediaMayStandBesideTheFile) {
  const MessagesFile file(R"([{"role": "user", "content": [
    {"type": "video_url", "video_url": {"url": "beside.mp4"}},
    {"type": "video_url", "video_url": {"url": "nowhere.mp4"}},
    {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}}]}])");
  std::ofstream(file.folder() / "beside.mp4") << "x";
  const auto read = load_conversation(file.path());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->media[0].url, (file.folder() / "beside.mp4").string());
  EXPECT_EQ(read->media[1].url, "nowhere.mp4");
  EXPECT_EQ(read->media[2].url, "data:video/mp4;base64,AAAA");
}

TEST(Conversation, HostileFilesAreRefused) {
  const std::string deep(100'000, '[');
  for (const std::string& text : {std::string(), std::string("{"), std::string("[{]"), deep,
                                  std::string("[1e999999, \"\xff\"]")}) {
    const MessagesFile file(text);
    const auto read = load_conversation(file.path());
    ASSERT_FALSE(read) << text.substr(0, 20);
    EXPECT_EQ(read.error().code, ErrorCode::invalid_argument);
  }
  const auto missing = load_conversation("/no/such/file.json");
  EXPECT_THAT(missing.error().message, HasSubstr("/no/such/file.json"));
  const auto folder = load_conversation(testing::TempDir());
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().code, ErrorCode::invalid_argument);
}

TEST(Conversation, ASparseGiantIsNotRead) {
  const MessagesFile file("[]");
  std::filesystem::resize_file(file.path(), std::uintmax_t{1} << 40);
  const auto read = load_conversation(file.path());
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, HasSubstr("at most 256"));
}

}  // namespace
}  // namespace tru::pipeline
