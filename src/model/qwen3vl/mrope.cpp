#include "model/qwen3vl/mrope.h"

#include <algorithm>

namespace tru::model::qwen3vl {

void PositionCounter::add_text(std::int64_t tokens, Positions& out) {
  for (std::int64_t i = 0; i < tokens; ++i, ++next_) {
    for (auto& axis : out.axes) axis.push_back(static_cast<std::int32_t>(next_));
  }
}

void PositionCounter::add_visual(std::int64_t rows, std::int64_t columns, Positions& out) {
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t column = 0; column < columns; ++column) {
      out.axes[0].push_back(static_cast<std::int32_t>(next_));
      out.axes[1].push_back(static_cast<std::int32_t>(next_ + row));
      out.axes[2].push_back(static_cast<std::int32_t>(next_ + column));
    }
  }
  next_ += std::max(rows, columns);
}

}  // namespace tru::model::qwen3vl
