// tokenizer.json and tokenizer_config.json, checked and turned into plain values.
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "text/bpe.h"

namespace tru::text {

// A token that is cut out of text before byte pairs are looked at.
struct AddedToken {
  TokenId id = 0;
  std::string content;
  bool special = false;  // a control token: skipped in answers
};

struct TokenizerFile {
  bool nfc = false;                      // text is put into Unicode normalisation form C
  std::string split_pattern;             // regular expression in Oniguruma's syntax
  std::vector<std::string> token_bytes;  // by id, added tokens included; empty: no such token
  std::array<TokenId, 256> byte_tokens{};
  std::vector<Merge> merges;  // by rank
  std::vector<AddedToken> added_tokens;
};

// Reads checkpoint_dir/tokenizer.json (Hugging Face tokenizers 0.x, byte-level BPE) and the added
// tokens that only tokenizer_config.json names. model_invalid names the file and what is wrong,
// also when the file asks for steps that are not implemented here.
Result<TokenizerFile> read_tokenizer_file(const std::filesystem::path& checkpoint_dir);

// No text may become an added token by way of byte pairs: user text must stay text.
Status check_added_tokens(const TokenizerFile& file);

}  // namespace tru::text
