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

Message say(std::string role, std::string text) {
  return {std::move(role), {{PartKind::text, std::move(text), 0}}};
}

// What the template's own Jinja would give, pictures as their triples.
std::string rendered(ChatVariant variant, const std::vector<Message>& messages) {
  const auto items = layout_messages(variant, messages);
  if (!items) return items.error().message;
  std::string out;
  for (const LayoutItem& item : *items) {
    if (const auto* piece = std::get_if<Piece>(&item)) {
      out += piece->text;
    } else {
      const bool is_video = std::get<ContentPart>(item).kind == PartKind::video;
      out += is_video ? "<|vision_start|><|video_pad|><|vision_end|>"
                      : "<|vision_start|><|image_pad|><|vision_end|>";
    }
  }
  return out;
}

TEST(ChatTemplate, RenderedChatsEqualTheReference) {
  const auto vectors = read_json(kTestData / "token_vectors.json");
  const auto& cases = vectors.at("chat_template").as_array();
  EXPECT_EQ(cases.size(), 5);
  for (const auto& c : cases) {
    EXPECT_EQ(rendered(ChatVariant::instruct, to_messages(c.at("messages"))),
              std::string(c.at("rendered").as_string()));
  }
}

// Expected values below: the published templates, run by Jinja 3.1.
TEST(ChatTemplate, ToolResultsShareAUserTurn) {
  EXPECT_EQ(rendered(ChatVariant::instruct,
                     {say("user", "q"), say("assistant", "<think>\nr\n</think>\n\nA"),
                      say("tool", "T1"), say("tool", "T2")}),
            "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n<think>\nr\n</think>\n\nA"
            "<|im_end|>\n<|im_start|>user\n<tool_response>\nT1\n</tool_response>\n"
            "<tool_response>\nT2\n</tool_response><|im_end|>\n<|im_start|>assistant\n");
}

struct ThinkingCase {
  std::vector<Message> messages;
  std::string expected;  // before the opening of the next answer
};

TEST(ChatTemplate, ThinkingForgetsTheReasoningBeforeTheLastQuestion) {
  const ThinkingCase cases[] = {
      {{say("user", "q1"), say("assistant", "<think>\nr1\n</think>\n\na1"), say("user", "q2")},
       "<|im_start|>user\nq1<|im_end|>\n<|im_start|>assistant\na1<|im_end|>\n"
       "<|im_start|>user\nq2<|im_end|>\n"},
      {{say("user", "q"), say("assistant", "<think>\nr\n</think>\n\nA"), say("tool", "T")},
       "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n<think>\nr\n</think>\n\nA<|im_end|>\n"
       "<|im_start|>user\n<tool_response>\nT\n</tool_response><|im_end|>\n"},
      {{say("user", "q"), say("assistant", "plain"), say("tool", "T")},
       "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\nplain<|im_end|>\n"
       "<|im_start|>user\n<tool_response>\nT\n</tool_response><|im_end|>\n"},
      {{say("user", "q"), say("assistant", "\nlast")},
       "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\nlast"
       "<|im_end|>\n"},
      {{say("system", "s"), say("user", "q"), say("system", "mid"),
        say("assistant", "x<think>\n\n r \n</think></think>\n\ny")},
       "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nq<|im_end|>\n"
       "<|im_start|>system\nmid<|im_end|>\n"
       "<|im_start|>assistant\n<think>\n r \n</think>\n\ny<|im_end|>\n"},
      {{say("user", "q"), say("assistant", "<think>a</think>b<think>c</think>d"),
        say("user", "<tool_response>\nz\n</tool_response>")},
       "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n<think>\na\n</think>\n\nd<|im_end|>\n"
       "<|im_start|>user\n<tool_response>\nz\n</tool_response><|im_end|>\n"},
      {{say("assistant", "<think>\nr\n</think>\n\na")}, "<|im_start|>assistant\na<|im_end|>\n"},
  };
  for (const ThinkingCase& c : cases) {
    EXPECT_EQ(rendered(ChatVariant::thinking, c.messages),
              c.expected + "<|im_start|>assistant\n<think>\n");
  }
}

// The parts of the Thinking template by which it is known.
std::string thinking_template() {
  return R"({{- '<|im_start|>system\n' }}<|vision_start|><|image_pad|><|vision_end|>
<|vision_start|><|video_pad|><|vision_end|>{{- '<|im_end|>\n' }}{{- '\n<tool_response>\n' }}
{%- set ns = namespace(last_query_index=0) %}{{- '<think>\n' }}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n<think>\n' }}{%- endif %})";
}

class ChatTemplateFiles : public ::testing::Test {
 protected:
  ChatTemplateFiles() {
    instruct_ = read_file(kTestData / "tokenizer_full/chat_template.jinja");
    dir_.write("tokenizer_config.json", "{}");
  }
  Result<ChatTemplate> load() const { return ChatTemplate::load(dir_.path(), small_tokenizer()); }
  void write_json(const char* name, json::value chat_template) const {
    dir_.write(name, json::serialize(json::object{{"chat_template", chat_template}}));
  }

  TempDir dir_;
  std::string instruct_;
};

TEST_F(ChatTemplateFiles, TheJinjaFileGoesFirstThenItsOwnJsonThenTheConfig) {
  EXPECT_THAT(load().error().message, HasSubstr("has no chat template"));
  write_json("tokenizer_config.json", json::string(instruct_));
  EXPECT_EQ(load()->variant(), ChatVariant::instruct);
  write_json("chat_template.json", json::string(thinking_template()));
  EXPECT_EQ(load()->variant(), ChatVariant::thinking);
  dir_.write("chat_template.jinja", instruct_);
  EXPECT_EQ(load()->variant(), ChatVariant::instruct);
}

TEST_F(ChatTemplateFiles, OneOfSeveralNamedTemplatesIsTheDefault) {
  write_json("tokenizer_config.json",
             {{{"name", "tool_use"}, {"template", "x"}},
              {{"name", "default"}, {"template", json::string(instruct_)}}});
  EXPECT_EQ(load()->variant(), ChatVariant::instruct);
}

TEST_F(ChatTemplateFiles, OtherFamiliesAreRefused) {
  const std::string qwen2 =
      "{% if loop.first %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
      "<|vision_start|><|image_pad|><|vision_end|><|vision_start|><|video_pad|><|vision_end|>"
      "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
  std::string default_system = instruct_;
  default_system.insert(0, "{{- 'You are a helpful assistant.' }}");
  std::string optional_thinking = instruct_ + "{%- if enable_thinking %}{%- endif %}";
  std::string no_opening = instruct_.substr(0, instruct_.rfind("add_generation_prompt"));
  std::string longer_opening = instruct_ + "{{- 'Sure, ' }}";
  for (const std::string& jinja : {std::string(), std::string("{{ messages }}"), qwen2,
                                   default_system, optional_thinking, no_opening, longer_opening}) {
    dir_.write("chat_template.jinja", jinja);
    const auto chat = load();
    ASSERT_FALSE(chat) << jinja;
    EXPECT_EQ(chat.error().code, ErrorCode::model_invalid);
    EXPECT_THAT(chat.error().message, HasSubstr("chat_template.jinja"));
  }
}

class ChatRender : public ::testing::Test {
 protected:
  Result<std::vector<PromptSegment>> render(const std::vector<Message>& messages,
                                            const std::vector<MediaLayout>& media = {}) const {
    return chat_->render(tokenizer_, messages, media);
  }
  std::vector<TokenId> encode(std::string_view text) const { return *tokenizer_.encode(text); }

  const Tokenizer& tokenizer_ = full_tokenizer();
  Result<ChatTemplate> chat_ = ChatTemplate::load(full_checkpoint(), tokenizer_);
};

TEST_F(ChatRender, SegmentsSayWhereThePicturesStand) {
  const auto prompt =
      render({{"user",
               {{PartKind::video, "", 1}, {PartKind::text, " and ", 0}, {PartKind::image, "", 0}}}},
             {{PartKind::image, 6, {}}, {PartKind::video, 4, {"0.3", "1.6"}}});
  ASSERT_TRUE(prompt);
  ASSERT_EQ(prompt->size(), 4);
  const auto& [ids, visual] = (*prompt)[1];
  EXPECT_EQ(ids, encode("<|vision_end|><1.6 seconds><|vision_start|>"));
  ASSERT_TRUE(visual);
  EXPECT_EQ(visual->media_index, 1);
  EXPECT_EQ(visual->temporal_patch, 1);
  EXPECT_EQ(visual->num_tokens, 4);
  EXPECT_EQ(visual->pad_id, 151656);
  EXPECT_EQ((*prompt)[0].ids, encode("<|im_start|>user\n<0.3 seconds><|vision_start|>"));
  EXPECT_EQ((*prompt)[2].ids, encode("<|vision_end|> and <|vision_start|>"));
  EXPECT_EQ((*prompt)[2].visual->pad_id, 151655);
  EXPECT_EQ((*prompt)[3].ids, encode("<|vision_end|><|im_end|>\n<|im_start|>assistant\n"));
  EXPECT_FALSE((*prompt)[3].visual);
}

// Contract section 5: whoever speaks, the template alone writes control tokens.
TEST_F(ChatRender, SpokenTextNeverBecomesAControlToken) {
  for (const AddedToken& token : tokenizer_.added_tokens()) {
    const std::string text = "a" + token.content + "b" + token.content;
    for (const char* role : {"user", "system", "tool", "assistant"}) {
      const auto ids = prompt_token_ids(*render({say(role, text), say("user", "")}));
      const auto empty = prompt_token_ids(*render({say(role, ""), say("user", "")}));
      const bool may_keep = std::string_view(role) == "assistant" && !token.special;
      EXPECT_EQ(std::count(ids.begin(), ids.end(), token.id) -
                    std::count(empty.begin(), empty.end(), token.id),
                may_keep ? 2 : 0)
          << role << ' ' << token.content;
      EXPECT_THAT(decode(tokenizer_, ids), HasSubstr(text));
    }
  }
}

TEST_F(ChatRender, WhatCannotBeAskedIsNamed) {
  const Message picture{"user", {{PartKind::image, "", 0}}};
  const Message clip{"user", {{PartKind::video, "", 0}}};
  Message system = picture;
  system.role = "system";
  const auto refused = [&](const std::vector<Message>& messages,
                           const std::vector<MediaLayout>& media, const char* what) {
    const auto prompt = render(messages, media);
    ASSERT_FALSE(prompt) << what;
    EXPECT_EQ(prompt.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(prompt.error().message, HasSubstr(what));
  };
  refused({}, {}, "no messages");
  refused({say("developer", "x")}, {}, "unknown role \"developer\"");
  refused({say("user", "x"), say("system", "y")}, {}, "first message");
  refused({system}, {{PartKind::image, 4, {}}}, "can hold only text");
  refused({picture}, {}, "medium 0");
  refused({picture}, {{PartKind::video, 4, {"0.0"}}}, "another kind");
  refused({picture}, {{PartKind::image, 0, {}}}, "needs tokens");
  refused({clip}, {{PartKind::video, 4, {}}}, "timestamps");
}

}  // namespace
}  // namespace tru::text
