#include "text/chat.h"

#include <boost/json.hpp>
#include <system_error>
#include <utility>

#include "text/chat_layout.h"
#include "text/json_file.h"

namespace tru::text {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

struct TemplateText {
  fs::path path;
  std::string jinja;
};

// "chat_template" of a JSON file: a string, or a list of {"name", "template"} with a default.
Result<std::string> template_member(const fs::path& path) {
  TRU_TRY(const json::value root, read_json_file(path));
  if (const json::string* text = find_string(root, "chat_template")) return std::string(*text);
  const json::value* list = find_member(root, "chat_template");
  if (list == nullptr || !list->is_array()) return std::string();
  for (const json::value& entry : list->get_array()) {
    const json::string* name = find_string(entry, "name");
    const json::string* text = find_string(entry, "template");
    if (name != nullptr && text != nullptr && *name == "default") return std::string(*text);
  }
  return std::string();
}

Result<TemplateText> find_template(const fs::path& checkpoint_dir) {
  const fs::path jinja = checkpoint_dir / "chat_template.jinja";
  std::error_code error;
  if (fs::exists(jinja, error)) {
    TRU_TRY(std::string text, read_text_file(jinja));
    return TemplateText{jinja, std::move(text)};
  }
  for (const char* name : {"chat_template.json", "tokenizer_config.json"}) {
    const fs::path path = checkpoint_dir / name;
    if (!fs::exists(path, error)) continue;
    TRU_TRY(std::string text, template_member(path));
    if (!text.empty()) return TemplateText{path, std::move(text)};
  }
  return fail(ErrorCode::model_invalid,
              "{} has no chat template (chat_template.jinja, chat_template.json or "
              "tokenizer_config.json)",
              checkpoint_dir.string());
}

// Collects text until a picture comes.
class PromptWriter {
 public:
  explicit PromptWriter(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  void add(Piece piece) { pieces_.push_back(std::move(piece)); }

  void add(std::string_view template_text) {
    pieces_.push_back({std::string(template_text), AddedTokens::all});
  }

  Status add(const VisualSpan& visual) {
    TRU_CHECK(end_segment());
    prompt_.back().visual = visual;
    return {};
  }

  Result<std::vector<PromptSegment>> finish() {
    TRU_CHECK(end_segment());
    return std::move(prompt_);
  }

 private:
  Status end_segment() {
    TRU_TRY(auto ids, tokenizer_.encode(pieces_));
    prompt_.push_back({std::move(ids), std::nullopt});
    pieces_.clear();
    return {};
  }

  const Tokenizer& tokenizer_;
  std::vector<Piece> pieces_;
  std::vector<PromptSegment> prompt_;
};

Status check_media(const ContentPart& part, std::span<const MediaLayout> media) {
  if (part.media_index >= media.size() || media[part.media_index].kind != part.kind) {
    return fail(ErrorCode::invalid_argument,
                "message part refers to medium {} of {}, or to one "
                "of another kind",
                part.media_index, media.size());
  }
  const MediaLayout& layout = media[part.media_index];
  const bool has_times = !layout.timestamps.empty();
  if (layout.tokens_per_patch <= 0 || has_times != (part.kind == PartKind::video)) {
    return fail(ErrorCode::invalid_argument,
                "medium {} needs tokens, and timestamps if it is a video", part.media_index);
  }
  return {};
}

// <|vision_start|> pads <|vision_end|>, for a video once for each temporal patch after its time.
Status write_media(const ContentPart& part, const MediaLayout& layout, TokenId pad_id,
                   PromptWriter& writer) {
  const int patches = part.kind == PartKind::video ? static_cast<int>(layout.timestamps.size()) : 1;
  for (int patch = 0; patch < patches; ++patch) {
    if (part.kind == PartKind::video) {
      writer.add("<" + layout.timestamps[static_cast<std::size_t>(patch)] + " seconds>");
    }
    writer.add("<|vision_start|>");
    TRU_CHECK(writer.add(VisualSpan{part.media_index, patch, layout.tokens_per_patch, pad_id}));
    writer.add("<|vision_end|>");
  }
  return {};
}

}  // namespace

std::vector<TokenId> prompt_token_ids(std::span<const PromptSegment> prompt) {
  std::vector<TokenId> ids;
  for (const PromptSegment& segment : prompt) {
    ids.insert(ids.end(), segment.ids.begin(), segment.ids.end());
    if (segment.visual) {
      ids.insert(ids.end(), static_cast<std::size_t>(segment.visual->num_tokens),
                 segment.visual->pad_id);
    }
  }
  return ids;
}

Result<ChatTemplate> ChatTemplate::load(const fs::path& checkpoint_dir,
                                        const Tokenizer& tokenizer) {
  TRU_TRY(const TemplateText found, find_template(checkpoint_dir));
  return recognise(found.jinja, found.path.string(), tokenizer);
}

Result<ChatTemplate> ChatTemplate::recognise(std::string_view jinja, std::string_view file,
                                             const Tokenizer& tokenizer) {
  const Result<ChatVariant> variant = recognise_template(jinja);
  if (!variant) return fail(ErrorCode::model_invalid, "{}: {}", file, variant.error().message);
  for (const char* token : {"<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>",
                            "<|image_pad|>", "<|video_pad|>"}) {
    if (!tokenizer.find_added(token)) {
      return fail(ErrorCode::model_invalid, "{}: the tokenizer has no added token {}", file, token);
    }
  }
  return ChatTemplate(*variant, *tokenizer.find_added("<|image_pad|>"),
                      *tokenizer.find_added("<|video_pad|>"));
}

Result<std::vector<PromptSegment>> ChatTemplate::render(const Tokenizer& tokenizer,
                                                        std::span<const Message> messages,
                                                        std::span<const MediaLayout> media) const {
  TRU_TRY(const auto items, layout_messages(variant_, messages));
  PromptWriter writer(tokenizer);
  for (const LayoutItem& item : items) {
    if (const auto* piece = std::get_if<Piece>(&item)) {
      writer.add(*piece);
      continue;
    }
    const auto& part = std::get<ContentPart>(item);
    TRU_CHECK(check_media(part, media));
    const TokenId pad_id = part.kind == PartKind::image ? image_pad_id_ : video_pad_id_;
    TRU_CHECK(write_media(part, media[part.media_index], pad_id, writer));
  }
  return writer.finish();
}

}  // namespace tru::text
