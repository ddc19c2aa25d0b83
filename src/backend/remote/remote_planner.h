// Prompts for a remote server: what will be sent, and about how many tokens it comes to.
#pragma once

#include <memory>
#include <optional>

#include "backend/model_text.h"
#include "backend/remote/remote_config.h"
#include "backend/remote/wire_messages.h"

namespace tru::backend {

class RemotePrompt : public Prompt {
 public:
  RemotePrompt(std::vector<text::Message> messages, std::vector<MediaShape> media,
               std::int64_t num_tokens)
      : messages_(std::move(messages)), media_(std::move(media)), num_tokens_(num_tokens) {}

  std::int64_t num_tokens() const override { return num_tokens_; }
  const std::vector<text::Message>& messages() const { return messages_; }
  const std::vector<MediaShape>& media() const { return media_; }

 private:
  std::vector<text::Message> messages_;
  std::vector<MediaShape> media_;
  std::int64_t num_tokens_;
};

// With a local copy of the checkpoint (MODEL_PATH), its tokenizer, template and limits are used and
// counts are those of the server. Without one the limits and added tokens are those of the
// published Qwen3-VL checkpoints, visual tokens are counted exactly and text as one token for three
// bytes: rather too many. Immutable.
class RemotePlanner {
 public:
  // Errors: model_invalid for a folder that is not a checkpoint; a name that was not pulled is
  // none.
  static Result<RemotePlanner> load(const RemoteConfig& config);

  const VisionLimits& vision() const { return vision_; }
  const PlainText& plain_text() const { return plain_; }
  const text::Tokenizer* tokenizer() const { return local_ ? &local_->tokenizer : nullptr; }

  // Of an image, or of one frame of a video that is sent as an image, with what encloses them.
  std::int64_t image_tokens(const MediaShape& shape) const;

  // Errors: invalid_argument.
  Result<std::unique_ptr<Prompt>> build_prompt(const std::vector<text::Message>& messages,
                                               const std::vector<MediaShape>& media,
                                               const ServerTraits& traits) const;

 private:
  RemotePlanner(VisionLimits vision, PlainText plain) : vision_(vision), plain_(std::move(plain)) {}

  std::int64_t visual_tokens(const MediaShape& shape, bool as_image) const;
  std::int64_t count(const std::vector<WireMessage>& messages,
                     const std::vector<MediaShape>& media) const;
  Result<std::int64_t> count_exactly(const std::vector<WireMessage>& messages,
                                     const std::vector<MediaShape>& media) const;

  VisionLimits vision_;
  PlainText plain_;
  std::optional<ModelText> local_;
};

}  // namespace tru::backend
