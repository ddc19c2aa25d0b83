#include "text/tokenizer.h"

#include <algorithm>
#include <set>
#include <utility>

#include "text/utf8.h"

namespace tru::text {
namespace {

constexpr std::size_t kMaxTextBytes = 16 << 20;

// Words seen before in the same run: most of a long text.
constexpr std::size_t kMaxCachedWords = 1 << 16;
constexpr std::size_t kMaxCachedWordBytes = 64;

struct EncodedWord {
  std::size_t first;  // index into the output
  std::size_t count;
};

}  // namespace

Result<Tokenizer> Tokenizer::load(const std::filesystem::path& checkpoint_dir) {
  TRU_TRY(TokenizerFile file, read_tokenizer_file(checkpoint_dir));
  Result<Splitter> splitter = Splitter::compile(file.split_pattern);
  if (!splitter) {
    return fail(ErrorCode::model_invalid, "{}: {}", (checkpoint_dir / "tokenizer.json").string(),
                splitter.error().message);
  }
  return Tokenizer(std::move(file), std::move(*splitter));
}

Result<Tokenizer> Tokenizer::load(const Vocabulary& vocabulary, std::string_view file) {
  Result<TokenizerFile> read = read_vocabulary(vocabulary);
  if (!read) return fail(ErrorCode::model_invalid, "{}: {}", file, read.error().message);
  TRU_TRY(Splitter splitter, Splitter::compile(read->split_pattern));
  return Tokenizer(std::move(*read), std::move(splitter));
}

Tokenizer::Tokenizer(TokenizerFile file, Splitter splitter)
    : nfc_(file.nfc),
      splitter_(std::move(splitter)),
      bpe_(file.byte_tokens, std::move(file.merges)),
      token_bytes_(std::move(file.token_bytes)),
      kinds_(token_bytes_.size(), Kind::ordinary),
      added_tokens_(std::move(file.added_tokens)) {
  std::set<std::size_t, std::greater<>> sizes;
  for (const AddedToken& token : added_tokens_) {
    kinds_[static_cast<std::size_t>(token.id)] = token.special ? Kind::special : Kind::added;
    added_ids_.emplace(token.content, token.id);
    sizes.insert(token.content.size());
    opens_added_[static_cast<unsigned char>(token.content.front())] = true;
  }
  added_sizes_.assign(sizes.begin(), sizes.end());
}

// The longest added token that text opens with.
std::optional<TokenId> Tokenizer::match_added(std::string_view text, AddedTokens recognised) const {
  if (!opens_added_[static_cast<unsigned char>(text.front())]) return std::nullopt;
  for (const std::size_t size : added_sizes_) {
    if (size > text.size()) continue;
    const auto found = added_ids_.find(text.substr(0, size));
    if (found == added_ids_.end()) continue;
    if (recognised == AddedTokens::all || !is_special(found->second)) return found->second;
  }
  return std::nullopt;
}

Result<std::vector<TokenId>> Tokenizer::encode(std::span<const Piece> pieces) const {
  std::vector<TokenId> ids;
  Bpe::Scratch scratch;
  std::string run;  // text since the last added token
  std::size_t total_bytes = 0;
  for (const Piece& piece : pieces) {
    total_bytes += piece.text.size();
    if (total_bytes > kMaxTextBytes) {
      return fail(ErrorCode::invalid_argument, "the text has more than {} bytes", kMaxTextBytes);
    }
    if (piece.recognised == AddedTokens::none) {
      run += piece.text;
      continue;
    }
    const std::string_view text = piece.text;
    std::size_t done = 0;  // text before this is in run or ids
    for (std::size_t at = 0; at < text.size();) {
      const auto token = match_added(text.substr(at), piece.recognised);
      if (!token) {
        ++at;
        continue;
      }
      run += text.substr(done, at - done);
      TRU_CHECK(encode_run(std::exchange(run, {}), scratch, ids));
      ids.push_back(*token);
      at += bytes(*token).size();
      done = at;
    }
    run += text.substr(done);
  }
  TRU_CHECK(encode_run(std::move(run), scratch, ids));
  return ids;
}

Result<std::vector<TokenId>> Tokenizer::encode(std::string_view text) const {
  const Piece piece{std::string(text), AddedTokens::all};
  return encode(std::span(&piece, 1));
}

Result<std::vector<TokenId>> Tokenizer::encode_literal(std::string_view text) const {
  const Piece piece{std::string(text), AddedTokens::none};
  return encode(std::span(&piece, 1));
}

// Text without added tokens: normalise, split, then byte pairs within each word.
Status Tokenizer::encode_run(std::string run, Bpe::Scratch& scratch,
                             std::vector<TokenId>& out) const {
  if (run.empty()) return {};
  run = repair_utf8(run);
  if (nfc_) run = to_nfc(std::move(run));
  TRU_TRY(const auto words, splitter_.split(run));
  std::unordered_map<std::string_view, EncodedWord> seen;
  for (const std::string_view word : words) {
    const auto found = seen.find(word);
    const std::size_t first = out.size();
    if (found != seen.end()) {
      const EncodedWord known = found->second;
      for (std::size_t i = 0; i < known.count; ++i) out.push_back(out[known.first + i]);
      continue;
    }
    bpe_.encode(word, scratch, out);
    if (word.size() <= kMaxCachedWordBytes && seen.size() < kMaxCachedWords) {
      seen.emplace(word, EncodedWord{first, out.size() - first});
    }
  }
  return {};
}

Tokenizer::Kind Tokenizer::kind(TokenId id) const {
  const auto at = static_cast<std::size_t>(id);
  return id >= 0 && at < kinds_.size() ? kinds_[at] : Kind::ordinary;
}

std::string_view Tokenizer::bytes(TokenId id) const {
  const auto at = static_cast<std::size_t>(id);
  return id >= 0 && at < token_bytes_.size() ? std::string_view(token_bytes_[at])
                                             : std::string_view();
}

std::optional<TokenId> Tokenizer::find_added(std::string_view content) const {
  const auto found = added_ids_.find(content);
  if (found == added_ids_.end()) return std::nullopt;
  return found->second;
}

}  // namespace tru::text
