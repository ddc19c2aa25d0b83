// Positions of prompt tokens on the three axes of interleaved M-RoPE.
// Source: transformers modeling_qwen3_vl.py, get_rope_index.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace tru::model::qwen3vl {

// Columns T, H, W; one entry per token on each.
struct Positions {
  std::array<std::vector<std::int32_t>, 3> axes;

  std::size_t size() const { return axes[0].size(); }
};

// Walks a prompt from its start. Values are exact for any way of cutting the prompt into calls.
class PositionCounter {
 public:
  // Text, timestamps and vision_start/end included: all axes advance together.
  void add_text(std::int64_t tokens, Positions& out);

  // One image or one temporal patch of a video with a merged grid of rows x columns tokens,
  // row-major. T stays; the counter then skips max(rows, columns).
  void add_visual(std::int64_t rows, std::int64_t columns, Positions& out);

  // Position of the next text token.
  std::int64_t next() const { return next_; }

 private:
  std::int64_t next_ = 0;
};

}  // namespace tru::model::qwen3vl
