#include "backend/remote/plain_text.h"

#include <algorithm>

#include "text/utf8.h"

namespace tru::backend {
namespace {

constexpr std::string_view kWordJoiner = "\xe2\x81\xa0";
constexpr std::string_view kReplacement = "\xef\xbf\xbd";

// Bytes of the first character of valid UTF-8.
std::size_t first_character(std::string_view text) {
  std::size_t size = 1;
  while (size < text.size() && (text[size] & 0xC0) == 0x80) ++size;
  return size;
}

}  // namespace

PlainText::PlainText(std::vector<text::AddedToken> added_tokens)
    : added_tokens_(std::move(added_tokens)) {}

PlainText PlainText::published() {
  std::vector<text::AddedToken> tokens;
  for (const char* special :
       {"<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>",
        "<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>",
        "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>", "<__media__>"}) {
    tokens.push_back({0, special, true});
  }
  for (const char* ordinary : {"<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>",
                               "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>",
                               "<tool_response>", "</tool_response>", "<think>", "</think>"}) {
    tokens.push_back({0, ordinary, false});
  }
  return PlainText(std::move(tokens));
}

bool PlainText::opens_token(std::string_view text, bool keep_ordinary) const {
  return std::any_of(added_tokens_.begin(), added_tokens_.end(), [&](const auto& token) {
    return !(keep_ordinary && !token.special) && !token.content.empty() &&
           text.starts_with(token.content);
  });
}

// Nothing is taken away, so what is left of a match is broken and no new one appears.
std::string PlainText::neutralise(std::string_view text, bool keep_ordinary) const {
  const std::string normal = text::to_nfc(text::repair_utf8(text));  // as a tokenizer will
  std::string result;
  std::string_view rest = normal;
  while (!rest.empty()) {
    const std::size_t size = first_character(rest);
    const std::string_view character = rest.substr(0, size);
    if (!opens_token(rest, keep_ordinary)) {
      result += character;
    } else {
      const bool alone = std::any_of(added_tokens_.begin(), added_tokens_.end(),
                                     [&](const auto& t) { return t.content == character; });
      result += alone ? kReplacement : character;
      result += kWordJoiner;
    }
    rest.remove_prefix(size);
  }
  return result;
}

}  // namespace tru::backend
