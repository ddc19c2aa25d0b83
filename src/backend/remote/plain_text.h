// User text that a remote tokenizer can't take for its control tokens.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer_file.h"

namespace tru::backend {

// The servers look for added tokens such as <|im_end|> in everything they are sent. An invisible
// word joiner (U+2060) inside each of them makes it ordinary text again, which reads the same.
class PlainText {
 public:
  explicit PlainText(std::vector<text::AddedToken> added_tokens);

  // The added tokens of the published Qwen3-VL checkpoints, and llama.cpp's place-holder for media.
  static PlainText published();

  // keep_ordinary: leaves the added tokens that are not special alone (<think> in past answers).
  std::string neutralise(std::string_view text, bool keep_ordinary) const;

 private:
  bool opens_token(std::string_view text, bool keep_ordinary) const;

  std::vector<text::AddedToken> added_tokens_;
};

}  // namespace tru::backend
