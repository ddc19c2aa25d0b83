#include "engine/prompt_feed.h"

#include <algorithm>

#include "base/assert.h"
#include "base/stopwatch.h"
#include "model/qwen3vl/unchanged.h"

namespace tru::engine {

using model::qwen3vl::GridTHW;
using model::qwen3vl::VisionFeatures;

PromptFeed::PromptFeed(std::unique_ptr<PromptSource> source, model::qwen3vl::Model& model)
    : source_(std::move(source)), model_(model) {}

// Features of a picture's tokens, in ascending order, for the batch's next rows: runs of neighbours
// are one entry.
void PromptFeed::add_features(const Picture& picture, std::span<const std::int64_t> tokens,
                              PrefillBatch& batch) {
  const auto first_row = static_cast<std::int64_t>(batch.ids.size());
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0 && tokens[i] == tokens[i - 1] + 1) {
      ++batch.visual.back().count;
      continue;
    }
    batch.visual.push_back({first_row + static_cast<std::int64_t>(i), 1, picture.features.get(),
                            picture.first_feature + tokens[i]});
  }
  batch.features.push_back(picture.features);
}

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
    if (piece.picture) {
      add_features(*piece.picture, std::span(piece.features).subspan(piece.taken, count), batch);
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
  add_visual(*segment.visual, segment.ids[static_cast<std::size_t>(begin)],
             std::move(segment.frames));
  add_text(end, size);
}

void PromptFeed::add_visual(const VisualSpan& visual, std::int32_t pad_id, FramePair frames) {
  const GridTHW& grid = visual.grid_thw;
  const std::int64_t merge = model_.patch_shape().spatial_merge_size;
  model::qwen3vl::Positions positions;
  counter_.add_visual(grid.h / merge, grid.w / merge, positions);
  Piece piece;
  for (std::size_t i = 0; i < positions.axes[0].size(); ++i) {
    if (!visual.kept.empty() && !visual.kept[i]) continue;
    piece.ids.push_back(pad_id);
    piece.features.push_back(static_cast<std::int64_t>(i));
    for (std::size_t axis = 0; axis < 3; ++axis) {
      piece.positions.axes[axis].push_back(positions.axes[axis][i]);
    }
  }
  pending_tokens_ -= static_cast<std::int64_t>(positions.axes[0].size() - piece.ids.size());
  // Nothing of it is to be seen, so it need not be looked at.
  if (piece.ids.empty()) {
    ++spans_encoded_;
    return;
  }
  const bool same = last_picture_ && last_picture_->grid == grid &&
                    model::qwen3vl::same_pixels(last_picture_->frames, frames);
  if (same) {
    ++spans_encoded_;
    ++spans_reused_;
  } else {
    last_picture_ = std::make_shared<Picture>(Picture{grid, std::move(frames)});
  }
  piece.picture = last_picture_;
  pieces_.push_back(std::move(piece));
}

// Temporal patches of the same size go through the encoder together.
Status PromptFeed::encode_pending(std::stop_token stop) {
  std::vector<Picture*> group;
  for (const Piece& piece : pieces_) {
    Picture* picture = piece.picture.get();
    const bool waiting =
        picture != nullptr && !picture->features && (group.empty() || group.back() != picture);
    if (!waiting) continue;
    if (!group.empty() && group.front()->grid != picture->grid) {
      TRU_CHECK(encode_group(group, stop));
      group.clear();
    }
    group.push_back(picture);
  }
  return group.empty() ? Status() : encode_group(group, stop);
}

Status PromptFeed::encode_group(std::span<Picture*> group, std::stop_token stop) {
  const Stopwatch watch;
  const auto& shape = model_.patch_shape();
  GridTHW grid = group.front()->grid;
  const auto rows = static_cast<std::size_t>(grid.patches() * shape.row_size());
  std::vector<float> patches(rows * group.size());
  for (std::size_t i = 0; i < group.size(); ++i) {
    model::qwen3vl::make_patches(group[i]->frames, shape,
                                 std::span(patches).subspan(i * rows, rows));
  }
  grid.t = static_cast<std::int64_t>(group.size());
  TRU_TRY(VisionFeatures encoded, model_.vision().encode(grid, patches, stop));
  const auto features = std::make_shared<const VisionFeatures>(std::move(encoded));
  for (std::size_t i = 0; i < group.size(); ++i) {
    group[i]->features = features;
    group[i]->first_feature = static_cast<std::int64_t>(i) * features->tokens / grid.t;
  }
  spans_encoded_ += grid.t;
  vision_ms_ += watch.elapsed_ms();
  return {};
}

}  // namespace tru::engine
