// Turns a PromptSource into batches for the language model: gives tokens their positions and runs
// the vision encoder on the frames that come with them.
#pragma once

#include <deque>
#include <memory>

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
  double vision_ms() const { return vision_ms_; }
  // Position of the first token after those taken; meaningful once done().
  std::int64_t next_position() const { return counter_.next(); }

 private:
  // Part of a segment that is all text or all visual.
  struct Piece {
    std::vector<std::int32_t> ids;
    model::qwen3vl::Positions positions;
    std::optional<model::qwen3vl::GridTHW> grid;
    FramePair frames;                                                // until encoded
    std::shared_ptr<const model::qwen3vl::VisionFeatures> features;  // since encoded
    std::int64_t first_feature = 0;
    std::size_t taken = 0;  // ids already given out
  };

  Status pull(std::int64_t tokens, std::stop_token stop);
  void add(PromptSegment segment);
  Status encode_pending(std::stop_token stop);
  Status encode_group(std::span<Piece*> group, std::stop_token stop);

  std::unique_ptr<PromptSource> source_;
  model::qwen3vl::Model& model_;
  model::qwen3vl::PositionCounter counter_;
  std::deque<Piece> pieces_;
  std::int64_t pending_tokens_ = 0;
  bool source_ended_ = false;
  std::int64_t spans_encoded_ = 0;
  double vision_ms_ = 0;
};

}  // namespace tru::engine
