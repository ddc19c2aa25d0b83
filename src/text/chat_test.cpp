#include "text/chat.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "text/chat_layout.h"
#include "text/detokenizer.h"
#include "text/test_checkpoints.h"

namespace tru::text {
namespace {

using ::testing::HasSubstr;
namespace json = boost::json;

// OpenAI-style messages; media are numbered in the order in which they stand.
std::vector<Message> to_messages(const json::value& list) {
  std::vector<Message> messages;
  std::size_t num_media = 0;
  for (const auto& entry : list.as_array()) {
    Message message{std::string(entry.at("role").as_string()), {}};
    if (const auto* text = entry.at("content").if_string()) {
      message.parts.push_back({PartKind::text, std::string(*text), 0});
    } else {
      for (const auto& part : entry.at("content").as_array()) {
        const std::string_view type = part.at("type").as_string();
        if (type == "text") {
          message.parts.push_back({PartKind::text, std::string(part.at("text").as_string()), 0});
        } else {
          const bool is_video = type.starts_with("video");
          message.parts.push_back({is_video ? PartKind::video : PartKind::image, "", num_media++});
        }
      }
    }
    messages.push_back(std::move(message));
  }
  return messages;
}

std::vector<MediaLayout> golden_media(const json::value& golden,
                                      const std::vector<Message>& messages) {
  std::vector<MediaLayout> media;
  std::size_t num_videos = 0;
  std::size_t num_images = 0;
  std::size_t num_timestamps = 0;
  for (const Message& message : messages) {
    for (const ContentPart& part : message.parts) {
      if (part.kind == PartKind::text) continue;
      const bool is_video = part.kind == PartKind::video;
      const auto grid =
          json::value_to<std::vector<int>>(golden.at(is_video ? "video_grid_thw" : "image_grid_thw")
                                               .at(is_video ? num_videos++ : num_images++));
      MediaLayout layout{part.kind, grid[1] * grid[2] / 4, {}};
      for (int patch = 0; is_video && patch < grid[0]; ++patch) {
        layout.timestamps.emplace_back(
            golden.at("timestamps_text").at(num_timestamps++).as_string());
      }
      media.push_back(std::move(layout));
    }
  }
  return media;
}

TEST(ChatTemplate, PromptIdsEqualTheGoldens) {
  const auto goldens = read_json(kTestData / "goldens.json");
  const auto& cases = goldens.at("cases").as_array();
  ASSERT_GE(cases.size(), 30);
  for (const auto& golden : cases) {
    SCOPED_TRACE(std::string(golden.at("id").as_string()));
    const auto dir = kTestData / "models" / std::string(golden.at("model").as_string());
    const auto tokenizer = Tokenizer::load(dir);
    ASSERT_TRUE(tokenizer);
    const auto chat = ChatTemplate::load(dir, *tokenizer);
    ASSERT_TRUE(chat);
    const auto messages = to_messages(golden.at("messages"));
    const auto prompt = chat->render(*tokenizer, messages, golden_media(golden, messages));
    ASSERT_TRUE(prompt) << prompt.error().message;
    EXPECT_EQ(prompt_token_ids(*prompt),
              json::value_to<std::vector<TokenId>>(golden.at("prompt_token_ids")));
  }
}

}  // namespace
}  // namespace tru::text
