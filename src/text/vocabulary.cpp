#include "text/vocabulary.h"

#include <string>
#include <unordered_map>

#include "text/byte_alphabet.h"

namespace tru::text {
namespace {

// pre_tokenizer of the published tokenizer.json, whose normalizer is NFC.
constexpr std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
    R"(\s*[\r\n]+|\s+(?!\S)|\s+)";

enum TokenType : std::int32_t { kNormal = 1, kControl = 3, kUserDefined = 4, kUnused = 5 };

using Ids = std::unordered_map<std::string_view, TokenId>;

template <typename... Args>
auto invalid(fmt::format_string<Args...> format, Args&&... args) {
  return fail(ErrorCode::model_invalid, format, std::forward<Args>(args)...);
}

// Gives the ids of normal tokens by their spelling, for the merges.
Result<Ids> read_tokens(const Vocabulary& vocabulary, TokenizerFile& out) {
  const ByteAlphabet alphabet;
  Ids ids;
  ids.reserve(vocabulary.tokens.size());
  out.byte_tokens.fill(-1);
  out.token_bytes.resize(vocabulary.tokens.size());
  for (std::size_t at = 0; at < vocabulary.tokens.size(); ++at) {
    const std::string_view token = vocabulary.tokens[at];
    const auto id = static_cast<TokenId>(at);
    const std::int32_t type = vocabulary.types[at];
    if (type == kUnused) continue;
    if (token.empty()) return invalid("token {} is empty", id);
    if (type == kControl || type == kUserDefined) {
      out.token_bytes[at] = token;
      out.added_tokens.push_back({id, std::string(token), type == kControl});
      continue;
    }
    if (type != kNormal) return invalid("token {} has the type {}; allowed: 1, 3, 4, 5", id, type);
    if (!ids.emplace(token, id).second) return invalid("token {} is there twice", id);
    const auto bytes = alphabet.to_bytes(token);
    if (bytes && bytes->size() == 1) {
      out.byte_tokens[static_cast<unsigned char>(bytes->front())] = id;
    }
    out.token_bytes[at] = bytes.value_or(std::string(token));
  }
  while (!out.token_bytes.empty() && out.token_bytes.back().empty()) out.token_bytes.pop_back();
  for (std::size_t byte = 0; byte < 256; ++byte) {
    if (out.byte_tokens[byte] < 0) return invalid("there is no token for byte {}", byte);
  }
  return ids;
}

Status read_merges(const Vocabulary& vocabulary, const Ids& ids, TokenizerFile& out) {
  out.merges.reserve(vocabulary.merges.size());
  std::string joined;
  for (std::size_t rank = 0; rank < vocabulary.merges.size(); ++rank) {
    const std::string_view merge = vocabulary.merges[rank];
    const std::size_t space = merge.find(' ');
    if (space == std::string_view::npos) return invalid("merge {} is not a pair of tokens", rank);
    joined.assign(merge.substr(0, space)).append(merge.substr(space + 1));
    const auto left = ids.find(merge.substr(0, space));
    const auto right = ids.find(merge.substr(space + 1));
    const auto merged = ids.find(joined);
    if (left == ids.end() || right == ids.end() || merged == ids.end()) {
      return invalid("merge {} uses a token that is not there", rank);
    }
    out.merges.push_back({left->second, right->second, merged->second});
  }
  return {};
}

}  // namespace

Result<TokenizerFile> read_vocabulary(const Vocabulary& vocabulary) {
  if (vocabulary.pre != "qwen2") {
    return invalid("tokenizer.ggml.pre is \"{}\"; allowed: qwen2", vocabulary.pre.substr(0, 64));
  }
  if (vocabulary.tokens.size() != vocabulary.types.size()) {
    return invalid("{} tokens have {} types", vocabulary.tokens.size(), vocabulary.types.size());
  }
  TokenizerFile out;
  out.nfc = true;
  out.split_pattern = kQwen2Pattern;
  TRU_TRY(const Ids ids, read_tokens(vocabulary, out));
  TRU_CHECK(read_merges(vocabulary, ids, out));
  TRU_CHECK(check_added_tokens(out));
  return out;
}

}  // namespace tru::text
