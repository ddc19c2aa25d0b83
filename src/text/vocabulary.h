// A tokenizer as GGUF files hold it: lists instead of tokenizer.json.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"
#include "text/tokenizer_file.h"

namespace tru::text {

struct Vocabulary {
  std::span<const std::string_view> tokens;  // by id
  std::span<const std::int32_t> types;       // by id: 1 normal, 3 control, 4 user-defined, 5 unused
  std::span<const std::string_view> merges;  // "a b", by rank
  std::string_view pre;                      // name of normalisation and split pattern: "qwen2"
};

// The same as the tokenizer.json that it was made from; but tokens that look special, such as
// <|fim_prefix|>, count as special, which llama.cpp's converter makes of them.
// Errors: model_invalid, without the file's name.
Result<TokenizerFile> read_vocabulary(const Vocabulary& vocabulary);

}  // namespace tru::text
