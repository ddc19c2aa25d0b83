// Token ids to text, a token at a time.
#pragma once

#include <string>

#include "text/tokenizer.h"
#include "text/utf8.h"

namespace tru::text {

enum class SpecialTokens { skip, show };

// One object per answer; the tokenizer must outlive it. Not thread-safe. What push and finish
// return, joined, is the reference's decode(ids, skip_special_tokens): the bytes of all tokens,
// each maximal ill-formed sequence replaced by U+FFFD.
class Detokenizer {
 public:
  explicit Detokenizer(const Tokenizer& tokenizer, SpecialTokens special = SpecialTokens::skip)
      : tokenizer_(&tokenizer), special_(special) {}

  // The text that has become certain, perhaps empty: never part of a character.
  std::string push(TokenId id);

  // What was held back, when no more tokens come. The next push starts a new text.
  std::string finish();

 private:
  const Tokenizer* tokenizer_;
  SpecialTokens special_;
  Utf8Stream stream_;
};

}  // namespace tru::text
