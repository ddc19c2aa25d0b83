#include "engine/prompt_feed.h"

#include <algorithm>

#include "base/assert.h"
#include "base/stopwatch.h"

namespace tru::engine {

using model::qwen3vl::GridTHW;
using model::qwen3vl::VisionFeatures;

PromptFeed::PromptFeed(std::unique_ptr<PromptSource> source, model::qwen3vl::Model& model)
    : source_(std::move(source)), model_(model) {}

Result<PrefillBatch> PromptFeed::take(std::int64_t max_tokens, std::stop_token stop) {
  TRU_CHECK(pull(max_tokens, stop));
  TRU_CHECK(encode_pending(stop));

  PrefillBatch batch;
  auto room = static_cast<std::size_t>(max_tokens);
  while (room > 0 && !pieces_.empty()) {
    Piece& piece = pieces_.front();
    const std::size_t count = std::min(room, piece.ids.size() - piece.taken);
    const auto from = static_cast<std::ptrdiff_t>(piece.taken);
    const auto to = from + static_cast<std::ptrdiff_t>(count);
    if (piece.features) {
      batch.visual.push_back({static_cast<std::int64_t>(batch.ids.size()),
                              static_cast<std::int64_t>(count), piece.features.get(),
                              piece.first_feature + from});
      batch.features.push_back(piece.features);
    }
    batch.ids.insert(batch.ids.end(), piece.ids.begin() + from, piece.ids.begin() + to);
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const auto& source = piece.positions.axes[axis];
      auto& target = batch.positions.axes[axis];
      target.insert(target.end(), source.begin() + from, source.begin() + to);
    }
    piece.taken += count;
    room -= count;
    pending_tokens_ -= static_cast<std::int64_t>(count);
    if (piece.taken == piece.ids.size()) pieces_.pop_front();
  }
  return batch;
}

// Until `tokens` are at hand. One more segment is asked for, so that the batch which ends the
// prompt is known to be the last.
Status PromptFeed::pull(std::int64_t tokens, std::stop_token stop) {
  while (!source_ended_ && pending_tokens_ <= tokens) {
    TRU_TRY(std::optional<PromptSegment> segment, source_->next(stop));
    if (segment) {
      add(std::move(*segment));
    } else {
      source_ended_ = true;
    }
  }
  return {};
}

void PromptFeed::add(PromptSegment segment) {
  const std::int64_t merge = model_.patch_shape().spatial_merge_size;
  const auto add_text = [&](std::int64_t from, std::int64_t to) {
    if (from == to) return;
    Piece piece;
    piece.ids.assign(segment.ids.begin() + from, segment.ids.begin() + to);
    counter_.add_text(to - from, piece.positions);
    pieces_.push_back(std::move(piece));
  };
  const auto size = static_cast<std::int64_t>(segment.ids.size());
  pending_tokens_ += size;
  if (!segment.visual) return add_text(0, size);

  const GridTHW& grid = segment.visual->grid_thw;
  const std::int64_t begin = segment.visual->offset;
  const std::int64_t end = begin + grid.patches() / (merge * merge);
  TRU_ASSERT(grid.t == 1 && end <= size);
  add_text(0, begin);
  Piece piece;
  piece.ids.assign(segment.ids.begin() + begin, segment.ids.begin() + end);
  counter_.add_visual(grid.h / merge, grid.w / merge, piece.positions);
  piece.grid = grid;
  piece.frames = std::move(segment.frames);
  pieces_.push_back(std::move(piece));
  add_text(end, size);
}

// Temporal patches of the same size go through the encoder together.
Status PromptFeed::encode_pending(std::stop_token stop) {
  std::vector<Piece*> group;
  for (Piece& piece : pieces_) {
    if (!piece.grid || piece.features) continue;
    if (!group.empty() && group.front()->grid != piece.grid) {
      TRU_CHECK(encode_group(group, stop));
      group.clear();
    }
    group.push_back(&piece);
  }
  return group.empty() ? Status() : encode_group(group, stop);
}

Status PromptFeed::encode_group(std::span<Piece*> group, std::stop_token stop) {
  const Stopwatch watch;
  const auto& shape = model_.patch_shape();
  GridTHW grid = *group.front()->grid;
  const auto rows = static_cast<std::size_t>(grid.patches() * shape.row_size());
  std::vector<float> patches(rows * group.size());
  for (std::size_t i = 0; i < group.size(); ++i) {
    model::qwen3vl::make_patches(group[i]->frames, shape,
                                 std::span(patches).subspan(i * rows, rows));
    group[i]->frames = {};
  }
  grid.t = static_cast<std::int64_t>(group.size());
  TRU_TRY(VisionFeatures encoded, model_.vision().encode(grid, patches, stop));
  const auto features = std::make_shared<const VisionFeatures>(std::move(encoded));
  for (std::size_t i = 0; i < group.size(); ++i) {
    group[i]->features = features;
    group[i]->first_feature = static_cast<std::int64_t>(i * group[i]->ids.size());
  }
  spans_encoded_ += grid.t;
  vision_ms_ += watch.elapsed_ms();
  return {};
}

}  // namespace tru::engine
