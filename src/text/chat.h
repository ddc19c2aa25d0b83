// Messages to the prompt of a Qwen3-VL checkpoint.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "text/tokenizer.h"

namespace tru::text {

enum class PartKind { text, image, video };

struct ContentPart {
  PartKind kind = PartKind::text;
  std::string text;             // of a text part
  std::size_t media_index = 0;  // of an image or video: which of the media
};

struct Message {
  std::string role;  // "system", "user", "assistant" or "tool"
  std::vector<ContentPart> parts;
};

// How an image or a video stands in the prompt.
struct MediaLayout {
  PartKind kind = PartKind::image;
  int tokens_per_patch = 0;             // pads of one temporal patch: grid height * width / merge^2
  std::vector<std::string> timestamps;  // "0.3": of each temporal patch; empty for an image
};

// The pads of one temporal patch, to be replaced by its visual features.
struct VisualSpan {
  std::size_t media_index = 0;
  int temporal_patch = 0;
  int num_tokens = 0;
  TokenId pad_id = 0;
};

// Text, then perhaps a picture.
struct PromptSegment {
  std::vector<TokenId> ids;
  std::optional<VisualSpan> visual;
};

// The prompt as the model sees it, pads written out.
std::vector<TokenId> prompt_token_ids(std::span<const PromptSegment> prompt);

// The two published templates. Both are ChatML with visual triples and no default system prompt.
// Thinking ends in an open <think> block and forgets the reasoning of answers before the last
// question; it also lets system messages stand anywhere.
enum class ChatVariant { instruct, thinking };

// Immutable after load: any thread may use it.
class ChatTemplate {
 public:
  // Looks for the template as transformers does: chat_template.jinja, chat_template.json,
  // tokenizer_config.json. The Jinja text is recognised, not run. model_invalid if there is none,
  // if it is of another family, or if the tokenizer lacks a token that it writes.
  static Result<ChatTemplate> load(const std::filesystem::path& checkpoint_dir,
                                   const Tokenizer& tokenizer);

  // The same for a Jinja text that is at hand; `file` is for the messages.
  static Result<ChatTemplate> recognise(std::string_view jinja, std::string_view file,
                                        const Tokenizer& tokenizer);

  ChatVariant variant() const { return variant_; }

  // The prompt that asks for the next answer. tokenizer is the one given to load; media_index of
  // the parts counts media. A video's timestamps are written before its patches as transformers
  // 4.57 does (processing_qwen3_vl.py), and the first one joins the text before it.
  // invalid_argument: no messages, an unknown role, a picture outside user and tool messages, a
  // media_index without layout or of another kind.
  Result<std::vector<PromptSegment>> render(const Tokenizer& tokenizer,
                                            std::span<const Message> messages,
                                            std::span<const MediaLayout> media) const;

 private:
  ChatTemplate(ChatVariant variant, TokenId image_pad, TokenId video_pad)
      : variant_(variant), image_pad_id_(image_pad), video_pad_id_(video_pad) {}

  ChatVariant variant_;
  TokenId image_pad_id_;
  TokenId video_pad_id_;
};

}  // namespace tru::text
