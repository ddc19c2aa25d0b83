// Turns a PromptSource into batches for the language model: gives tokens their positions and runs
// the vision encoder on the frames that come with them.
#pragma once

#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "engine/request.h"
#include "model/qwen3vl/model.h"

namespace tru::engine {

// Owns what a model Batch points into.
struct PrefillBatch {
  std::vector<std::int32_t> ids;
  model::qwen3vl::Positions positions;
  std::vector<model::qwen3vl::VisualRows> visual;
  std::vector<std::shared_ptr<const model::qwen3vl::VisionFeatures>> features;
};

class PromptFeed {
 public:
  PromptFeed(std::unique_ptr<PromptSource> source, model::qwen3vl::Model& model);

  // Up to max_tokens next tokens of the prompt; fewer only at its end, where `done()` becomes true.
  // Frames are encoded only as far as these tokens need. Errors: the source's, engine_failed,
  // cancelled.
  Result<PrefillBatch> take(std::int64_t max_tokens, std::stop_token stop);

  bool done() const { return source_ended_ && pieces_.empty(); }
  std::int64_t spans_encoded() const { return spans_encoded_; }
  // Of these, those whose pixels are those of the span before: they share its features.
  std::int64_t spans_reused() const { return spans_reused_; }
  double vision_ms() const { return vision_ms_; }
  // Position of the first token after those taken; meaningful once done().
  std::int64_t next_position() const { return counter_.next(); }

 private:
  // What one or more visual pieces show.
  struct Picture {
    model::qwen3vl::GridTHW grid;
    FramePair frames;
    std::shared_ptr<const model::qwen3vl::VisionFeatures> features{};  // since encoded
    std::int64_t first_feature = 0;
  };
  // Part of a segment that is all text, or some of the tokens of a picture.
  struct Piece {
    std::vector<std::int32_t> ids;
    model::qwen3vl::Positions positions;
    std::shared_ptr<Picture> picture;
    std::vector<std::int64_t> features;  // of the picture's tokens, one for each id
    std::size_t taken = 0;               // ids already given out
  };

  Status pull(std::int64_t tokens, std::stop_token stop);
  void add(PromptSegment segment);
  void add_visual(const VisualSpan& visual, std::int32_t pad_id, FramePair frames);
  static void add_features(const Picture& picture, std::span<const std::int64_t> tokens,
                           PrefillBatch& batch);
  Status encode_pending(std::stop_token stop);
  Status encode_group(std::span<Picture*> group, std::stop_token stop);

  std::unique_ptr<PromptSource> source_;
  model::qwen3vl::Model& model_;
  model::qwen3vl::PositionCounter counter_;
  std::deque<Piece> pieces_;
  std::shared_ptr<Picture> last_picture_;
  std::int64_t pending_tokens_ = 0;
  bool source_ended_ = false;
  std::int64_t spans_encoded_ = 0;
  std::int64_t spans_reused_ = 0;
  double vision_ms_ = 0;
};

}  // namespace tru::engine
