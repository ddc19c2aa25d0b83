#include "text/chat_layout.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace tru::text {
namespace {

std::string_view strip_newlines_left(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of('\n'), text.size()));
}

std::string_view strip_newlines_right(std::string_view text) {
  return text.substr(0, text.find_last_not_of('\n') + 1);
}

std::string joined_text(const Message& message) {
  std::string text;
  for (const ContentPart& part : message.parts) text += part.text;
  return text;
}

struct Answer {
  std::string reasoning;
  std::string content;
};

// Past answers as the Thinking template takes them apart: the reasoning is what stands between
// the last <think> and the first </think>, the content what follows the last </think>.
Answer split_reasoning(std::string_view text) {
  constexpr std::string_view kOpen = "<think>";
  constexpr std::string_view kClose = "</think>";
  const std::size_t first_close = text.find(kClose);
  if (first_close == std::string_view::npos) return {"", std::string(text)};
  std::string_view reasoning = strip_newlines_right(text.substr(0, first_close));
  if (const std::size_t open = reasoning.rfind(kOpen); open != std::string_view::npos) {
    reasoning.remove_prefix(open + kOpen.size());
  }
  const std::string_view content = text.substr(text.rfind(kClose) + kClose.size());
  return {std::string(strip_newlines_left(reasoning)), std::string(strip_newlines_left(content))};
}

class Layout {
 public:
  Layout(ChatVariant variant, std::span<const Message> messages)
      : variant_(variant), messages_(messages) {}

  Result<std::vector<LayoutItem>> run() {
    if (messages_.empty()) return fail(ErrorCode::invalid_argument, "there are no messages");
    for (std::size_t i = 0; i < messages_.size(); ++i) TRU_CHECK(write_message(i));
    write("<|im_start|>assistant\n");
    if (variant_ == ChatVariant::thinking) write("<think>\n");
    return std::move(items_);
  }

 private:
  // Text of the template itself.
  void write(std::string_view text) {
    items_.emplace_back(Piece{std::string(text), AddedTokens::all});
  }

  Status write_message(std::size_t index) {
    const Message& message = messages_[index];
    TRU_CHECK(check(index));
    if (message.role == "assistant") {
      write_answer(index);
    } else if (message.role == "tool") {
      write_tool_result(index);
    } else {
      write("<|im_start|>" + message.role + "\n");
      write_content(message);
      write("<|im_end|>\n");
    }
    return {};
  }

  Status check(std::size_t index) const {
    const Message& message = messages_[index];
    constexpr std::array<std::string_view, 4> kRoles = {"system", "user", "assistant", "tool"};
    if (std::find(kRoles.begin(), kRoles.end(), message.role) == kRoles.end()) {
      return fail(ErrorCode::invalid_argument,
                  "unknown role \"{}\" (allowed: system, user, assistant, tool)", message.role);
    }
    // The Instruct template would leave such a message out without a word.
    if (message.role == "system" && index > 0 && variant_ == ChatVariant::instruct) {
      return fail(ErrorCode::invalid_argument, "a system message must be the first message");
    }
    const bool may_show = message.role == "user" || message.role == "tool";
    auto is_text = [](const ContentPart& part) { return part.kind == PartKind::text; };
    if (!may_show && !std::all_of(message.parts.begin(), message.parts.end(), is_text)) {
      return fail(ErrorCode::invalid_argument,
                  "a {} message can hold only text; images and videos go into user messages",
                  message.role);
    }
    return {};
  }

  void write_content(const Message& message) {
    for (const ContentPart& part : message.parts) {
      if (part.kind == PartKind::text) {
        items_.emplace_back(Piece{part.text, AddedTokens::none});
      } else {
        items_.emplace_back(part);
      }
    }
  }

  void write_answer(std::size_t index) {
    Answer answer{"", joined_text(messages_[index])};
    write("<|im_start|>assistant\n");
    if (variant_ == ChatVariant::thinking) {
      answer = split_reasoning(answer.content);
      const bool is_last = index + 1 == messages_.size();
      if (index > last_question() && (is_last || !answer.reasoning.empty())) {
        write("<think>\n");
        items_.emplace_back(
            Piece{std::string(strip_newlines_right(answer.reasoning)), AddedTokens::not_special});
        write("\n</think>\n\n");
        answer.content = strip_newlines_left(answer.content);
      }
    }
    items_.emplace_back(Piece{std::move(answer.content), AddedTokens::not_special});
    write("<|im_end|>\n");
  }

  // Index of the last user message that is not a tool's result in disguise; the last message if
  // there is none (then no answer keeps its reasoning).
  std::size_t last_question() const {
    for (std::size_t i = messages_.size(); i-- > 0;) {
      if (messages_[i].role != "user") continue;
      const std::string text = joined_text(messages_[i]);
      if (!text.starts_with("<tool_response>") || !text.ends_with("</tool_response>")) return i;
    }
    return messages_.size() - 1;
  }

  // Results of tools that follow one another share a user turn.
  void write_tool_result(std::size_t index) {
    auto is_tool = [&](std::size_t i) {
      return i < messages_.size() && messages_[i].role == "tool";
    };
    if (index == 0 || !is_tool(index - 1)) write("<|im_start|>user");
    write("\n<tool_response>\n");
    write_content(messages_[index]);
    write("\n</tool_response>");
    if (!is_tool(index + 1)) write("<|im_end|>\n");
  }

  ChatVariant variant_;
  std::span<const Message> messages_;
  std::vector<LayoutItem> items_;
};

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

Result<std::vector<LayoutItem>> layout_messages(ChatVariant variant,
                                                std::span<const Message> messages) {
  return Layout(variant, messages).run();
}

// A template is known by what it writes: the visual triples, no default system prompt, and one
// unconditional string that opens the answer. (\n below is Jinja's escape, two characters.)
Result<ChatVariant> recognise_template(std::string_view jinja) {
  const auto other = fail(ErrorCode::model_invalid,
                          "the chat template is not that of Qwen3-VL Instruct or Thinking");
  for (const std::string_view part :
       {"'<|im_start|>system\\n'", "'<|im_end|>\\n'", "<|vision_start|><|image_pad|><|vision_end|>",
        "<|vision_start|><|video_pad|><|vision_end|>", "'\\n<tool_response>\\n'"}) {
    if (!contains(jinja, part)) return other;
  }
  for (const std::string_view part : {"enable_thinking", "You are a helpful"}) {
    if (contains(jinja, part)) return other;
  }
  const std::size_t tail_at = jinja.rfind("add_generation_prompt");
  if (tail_at == std::string_view::npos) return other;
  const std::string_view tail = jinja.substr(tail_at);
  if (tail.find("{{") != tail.rfind("{{")) return other;
  if (contains(tail, "'<|im_start|>assistant\\n<think>\\n'") &&
      contains(jinja, "last_query_index")) {
    return ChatVariant::thinking;
  }
  if (contains(tail, "'<|im_start|>assistant\\n'") && !contains(jinja, "think>")) {
    return ChatVariant::instruct;
  }
  return other;
}

}  // namespace tru::text
