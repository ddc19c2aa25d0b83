#include "text/tokenizer_file.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

#include "text/byte_alphabet.h"
#include "text/json_file.h"

namespace tru::text {
namespace {

namespace json = boost::json;

constexpr std::int64_t kMaxTokens = 1 << 22;  // published vocabularies have about 2^18

template <typename... Args>
auto invalid(fmt::format_string<Args...> format, Args&&... args) {
  return fail(ErrorCode::model_invalid, format, std::forward<Args>(args)...);
}

std::string_view type_of(const json::value* step) {
  const json::string* type = step == nullptr ? nullptr : find_string(*step, "type");
  return type == nullptr ? std::string_view("null") : std::string_view(*type);
}

bool is_absent(const json::value* value) {
  return value == nullptr || value->is_null();
}

Status check_normalizer(const json::value& root, TokenizerFile& out) {
  const json::value* normalizer = find_member(root, "normalizer");
  out.nfc = type_of(normalizer) == "NFC";
  if (!out.nfc && !is_absent(normalizer)) {
    return invalid("normalizer {} is not supported (only NFC or none)", type_of(normalizer));
  }
  return {};
}

// Wants: Sequence of [Split by a regular expression, Isolated], [ByteLevel without extras].
Status check_pre_tokenizer(const json::value& root, TokenizerFile& out) {
  const json::value* sequence = find_member(root, "pre_tokenizer");
  const json::value* list = sequence == nullptr ? nullptr : find_member(*sequence, "pretokenizers");
  const json::array* steps = list == nullptr ? nullptr : list->if_array();
  if (type_of(sequence) != "Sequence" || steps == nullptr || steps->size() != 2 ||
      type_of(&(*steps)[0]) != "Split" || type_of(&(*steps)[1]) != "ByteLevel") {
    return invalid("pre_tokenizer is not the supported Sequence of Split and ByteLevel");
  }
  const json::value& split = (*steps)[0];
  const json::value& byte_level = (*steps)[1];
  const json::value* pattern = find_member(split, "pattern");
  const json::string* regex = pattern == nullptr ? nullptr : find_string(*pattern, "Regex");
  const json::string* behavior = find_string(split, "behavior");
  if (regex == nullptr || behavior == nullptr || *behavior != "Isolated" ||
      find_bool(split, "invert", false)) {
    return invalid("pre_tokenizer Split must have a Regex pattern and the behavior Isolated");
  }
  if (find_bool(byte_level, "add_prefix_space", true) || find_bool(byte_level, "use_regex", true)) {
    return invalid("pre_tokenizer ByteLevel must have add_prefix_space and use_regex false");
  }
  out.split_pattern = *regex;
  return {};
}

Status check_other_steps(const json::value& root) {
  const json::value* post = find_member(root, "post_processor");
  if (!is_absent(post) && type_of(post) != "ByteLevel") {
    return invalid("post_processor {} is not supported (only ByteLevel or none)", type_of(post));
  }
  if (const auto type = type_of(find_member(root, "decoder")); type != "ByteLevel") {
    return invalid("decoder {} is not supported (only ByteLevel)", type);
  }
  return {};
}

Status check_model_options(const json::value& model) {
  if (type_of(&model) != "BPE") {
    return invalid("model {} is not supported (only BPE)", type_of(&model));
  }
  for (const char* flag : {"byte_fallback", "ignore_merges"}) {
    if (find_bool(model, flag, false)) return invalid("model option {} is not supported", flag);
  }
  for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const json::string* value = find_string(model, affix);
    if (value != nullptr && !value->empty()) {
      return invalid("model option {} is not supported", affix);
    }
  }
  if (const json::value* dropout = find_member(model, "dropout"); !is_absent(dropout)) {
    return invalid("model option dropout is not supported");
  }
  return {};
}

Result<TokenId> check_id(const json::value* value, std::string_view token) {
  const std::int64_t* id = value == nullptr ? nullptr : value->if_int64();
  if (id == nullptr || *id < 0 || *id >= kMaxTokens) {
    return invalid("token {} has no id from 0 to {}", json::serialize(json::string(token)),
                   kMaxTokens - 1);
  }
  return static_cast<TokenId>(*id);
}

Status set_token(TokenizerFile& out, TokenId id, std::string bytes) {
  const auto at = static_cast<std::size_t>(id);
  if (at >= out.token_bytes.size()) out.token_bytes.resize(at + 1);
  if (!out.token_bytes[at].empty() && out.token_bytes[at] != bytes) {
    return invalid("id {} is given to two tokens", id);
  }
  out.token_bytes[at] = std::move(bytes);
  return {};
}

Status read_vocab(const json::object& vocab, TokenizerFile& out) {
  const ByteAlphabet alphabet;
  out.byte_tokens.fill(-1);
  out.token_bytes.reserve(vocab.size() + 64);
  for (const auto& [entry, value] : vocab) {
    TRU_TRY(const TokenId id, check_id(&value, entry));
    const std::optional<std::string> bytes = alphabet.to_bytes(entry);
    if (bytes && bytes->size() == 1) {
      out.byte_tokens[static_cast<unsigned char>(bytes->front())] = id;
    }
    TRU_CHECK(set_token(out, id, bytes.value_or(std::string(entry))));
  }
  for (std::size_t byte = 0; byte < 256; ++byte) {
    if (out.byte_tokens[byte] < 0) return invalid("model.vocab has no token for byte {}", byte);
  }
  return {};
}

struct MergeText {
  std::string_view left;
  std::string_view right;
};

// "a b" up to tokenizers 0.19, ["a", "b"] since.
std::optional<MergeText> merge_text(const json::value& entry) {
  if (const json::string* joined = entry.if_string()) {
    const std::string_view text = *joined;
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos) {
      return std::nullopt;
    }
    return MergeText{text.substr(0, space), text.substr(space + 1)};
  }
  const json::array* pair = entry.if_array();
  if (pair == nullptr || pair->size() != 2) return std::nullopt;
  const json::string* left = (*pair)[0].if_string();
  const json::string* right = (*pair)[1].if_string();
  if (left == nullptr || right == nullptr) return std::nullopt;
  return MergeText{*left, *right};
}

Status read_merges(const json::array& merges, const json::object& vocab, TokenizerFile& out) {
  auto id_of = [&](std::string_view entry) -> std::optional<TokenId> {
    const json::value* id = vocab.if_contains(entry);
    if (id == nullptr) return std::nullopt;
    return static_cast<TokenId>(id->get_int64());  // read_vocab has checked it
  };
  out.merges.reserve(merges.size());
  std::string joined;
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const std::optional<MergeText> text = merge_text(merges[rank]);
    if (!text) return invalid("model.merges[{}] is not a pair of tokens", rank);
    joined.assign(text->left).append(text->right);
    const auto left = id_of(text->left);
    const auto right = id_of(text->right);
    const auto merged = id_of(joined);
    if (!left || !right || !merged) {
      return invalid("model.merges[{}] uses a token that is not in model.vocab", rank);
    }
    out.merges.push_back({*left, *right, *merged});
  }
  return {};
}

Status read_model(const json::value& root, TokenizerFile& out) {
  const json::value* model = find_member(root, "model");
  if (model == nullptr) return invalid("there is no model");
  TRU_CHECK(check_model_options(*model));
  const json::value* vocab = find_member(*model, "vocab");
  const json::value* merges = find_member(*model, "merges");
  if (vocab == nullptr || !vocab->is_object()) return invalid("model.vocab is not an object");
  if (merges == nullptr || !merges->is_array()) return invalid("model.merges is not a list");
  TRU_CHECK(read_vocab(vocab->get_object(), out));
  return read_merges(merges->get_array(), vocab->get_object(), out);
}

Status add_token(const json::value& entry, TokenId id, TokenizerFile& out) {
  const json::string* content = find_string(entry, "content");
  if (content == nullptr || content->empty()) return invalid("added token {} has no content", id);
  for (const char* flag : {"single_word", "lstrip", "rstrip"}) {
    if (find_bool(entry, flag, false)) {
      return invalid("added token {}: {} is not supported", id, flag);
    }
  }
  TRU_CHECK(set_token(out, id, std::string(*content)));
  out.added_tokens.push_back({id, std::string(*content), find_bool(entry, "special", false)});
  return {};
}

Status read_added_tokens(const json::value& root, TokenizerFile& out) {
  const json::value* list = find_member(root, "added_tokens");
  if (is_absent(list)) return {};
  if (!list->is_array()) return invalid("added_tokens is not a list");
  for (const json::value& entry : list->get_array()) {
    const json::string* content = find_string(entry, "content");
    TRU_TRY(const TokenId id, check_id(find_member(entry, "id"),
                                       content == nullptr ? "" : std::string_view(*content)));
    TRU_CHECK(add_token(entry, id, out));
  }
  return {};
}

// tokenizer_config.json: {"added_tokens_decoder": {"151643": {"content": ...}}}.
Status read_config_tokens(const json::value& config, TokenizerFile& out) {
  const json::value* decoder = find_member(config, "added_tokens_decoder");
  if (is_absent(decoder)) return {};
  if (!decoder->is_object()) return invalid("added_tokens_decoder is not an object");
  for (const auto& [key, entry] : decoder->get_object()) {
    std::int64_t number = -1;
    const char* end = key.data() + key.size();
    if (std::from_chars(key.data(), end, number).ptr != end) number = -1;
    const json::value boxed(number);
    TRU_TRY(const TokenId id, check_id(&boxed, key));
    auto is_same = [&](const AddedToken& token) { return token.id == id; };
    if (std::none_of(out.added_tokens.begin(), out.added_tokens.end(), is_same)) {
      TRU_CHECK(add_token(entry, id, out));
    }
  }
  return {};
}

Status read_tokenizer_json(const json::value& root, TokenizerFile& out) {
  if (!root.is_object()) return invalid("the file is not a JSON object");
  TRU_CHECK(check_normalizer(root, out));
  TRU_CHECK(check_pre_tokenizer(root, out));
  TRU_CHECK(check_other_steps(root));
  TRU_CHECK(read_model(root, out));
  return read_added_tokens(root, out);
}

Status name_file(Status status, const std::filesystem::path& path) {
  if (status) return status;
  return invalid("{}: {}", path.string(), status.error().message);
}

}  // namespace

Status check_added_tokens(const TokenizerFile& file) {
  std::vector<bool> is_added(file.token_bytes.size(), false);
  for (const AddedToken& token : file.added_tokens) {
    is_added[static_cast<std::size_t>(token.id)] = true;
  }
  for (const TokenId id : file.byte_tokens) {
    if (is_added[static_cast<std::size_t>(id)])
      return invalid("byte token {} is also an added token", id);
  }
  for (std::size_t rank = 0; rank < file.merges.size(); ++rank) {
    if (is_added[static_cast<std::size_t>(file.merges[rank].merged)]) {
      return invalid("model.merges[{}] makes an added token", rank);
    }
  }
  return {};
}

Result<TokenizerFile> read_tokenizer_file(const std::filesystem::path& checkpoint_dir) {
  TokenizerFile out;
  const auto path = checkpoint_dir / "tokenizer.json";
  json::monotonic_resource memory;
  TRU_TRY(const json::value root, read_json_file(path, &memory));
  TRU_CHECK(name_file(read_tokenizer_json(root, out), path));

  const auto config_path = checkpoint_dir / "tokenizer_config.json";
  std::error_code error;
  if (std::filesystem::exists(config_path, error)) {
    TRU_TRY(const json::value config, read_json_file(config_path));
    TRU_CHECK(name_file(read_config_tokens(config, out), config_path));
  }
  TRU_CHECK(name_file(check_added_tokens(out), path));
  return out;
}

}  // namespace tru::text
