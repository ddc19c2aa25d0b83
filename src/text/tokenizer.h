// Text to token ids and back, exactly as the checkpoint's tokenizer.json says.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "text/bpe.h"
#include "text/splitter.h"
#include "text/tokenizer_file.h"
#include "text/vocabulary.h"

namespace tru::text {

// Which added tokens a text may turn into. Users and systems speak plain text; a past answer may
// hold the ones that are not special (<think>, <tool_call>); the template may write them all.
enum class AddedTokens { none, not_special, all };

// A stretch of a prompt. Neighbouring pieces are one text to the byte pairs: "user\n" + "Hi".
struct Piece {
  std::string text;
  AddedTokens recognised = AddedTokens::none;
};

// Immutable after load: any thread may use it.
class Tokenizer {
 public:
  // model_invalid names the file and what is wrong, or what in it is not supported.
  static Result<Tokenizer> load(const std::filesystem::path& checkpoint_dir);

  // The same from what a GGUF file holds; `file` is for the messages.
  static Result<Tokenizer> load(const Vocabulary& vocabulary, std::string_view file);

  // Ids of the joined pieces. Bytes that are not UTF-8 count as U+FFFD. Added tokens are looked
  // for in each piece by itself, the longest first, before normalisation. invalid_argument above
  // 16 MiB of text.
  Result<std::vector<TokenId>> encode(std::span<const Piece> pieces) const;

  // One piece in which every added token is recognised: what the reference's encode() does.
  Result<std::vector<TokenId>> encode(std::string_view text) const;

  // One piece of plain text: the ids never hold an added token.
  Result<std::vector<TokenId>> encode_literal(std::string_view text) const;

  // The raw bytes of a token, perhaps only part of a character. Empty for ids without a token
  // (models have more rows than tokens).
  std::string_view bytes(TokenId id) const;

  bool is_added(TokenId id) const { return kind(id) != Kind::ordinary; }
  bool is_special(TokenId id) const { return kind(id) == Kind::special; }

  // Id of an added token by what it looks like, such as "<|im_end|>".
  std::optional<TokenId> find_added(std::string_view content) const;
  std::span<const AddedToken> added_tokens() const { return added_tokens_; }

  // Largest id + 1. The model's vocab_size may be larger.
  std::size_t vocab_size() const { return token_bytes_.size(); }

 private:
  enum class Kind : unsigned char { ordinary, added, special };

  Tokenizer(TokenizerFile file, Splitter splitter);
  Kind kind(TokenId id) const;
  std::optional<TokenId> match_added(std::string_view text, AddedTokens recognised) const;
  Status encode_run(std::string run, Bpe::Scratch& scratch, std::vector<TokenId>& out) const;

  bool nfc_;
  Splitter splitter_;
  Bpe bpe_;
  std::vector<std::string> token_bytes_;  // by id
  std::vector<Kind> kinds_;               // by id
  std::vector<AddedToken> added_tokens_;
  std::unordered_map<std::string_view, TokenId> added_ids_;  // keys lie in added_tokens_
  std::vector<std::size_t> added_sizes_;                     // lengths in bytes, longest first
  std::array<bool, 256> opens_added_{};                      // by first byte
};

}  // namespace tru::text
