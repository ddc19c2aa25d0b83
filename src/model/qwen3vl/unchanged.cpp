#include "model/qwen3vl/unchanged.h"

#include <algorithm>
#include <cstdlib>

#include "base/assert.h"

namespace tru::model::qwen3vl {
namespace {

bool same_frame(const RgbFrame* a, const RgbFrame* b) {
  return a == b || (a->width == b->width && a->height == b->height && a->pixels == b->pixels);
}

// The bytes of one token in a frame: `side` lines of 3 * side bytes.
struct Square {
  std::size_t first;  // byte
  std::size_t line;   // bytes from line to line
  int side;
};

std::int64_t difference(const RgbFrame& a, const RgbFrame& b, const Square& square) {
  std::int64_t sum = 0;
  for (int y = 0; y < square.side; ++y) {
    const std::size_t begin = square.first + static_cast<std::size_t>(y) * square.line;
    for (std::size_t i = begin; i < begin + static_cast<std::size_t>(3 * square.side); ++i) {
      sum += std::abs(a.pixels[i] - b.pixels[i]);
    }
  }
  return sum;
}

void copy(const RgbFrame& from, RgbFrame& to, const Square& square) {
  for (int y = 0; y < square.side; ++y) {
    const auto begin = static_cast<std::ptrdiff_t>(square.first) +
                       static_cast<std::ptrdiff_t>(y) * static_cast<std::ptrdiff_t>(square.line);
    std::copy_n(from.pixels.begin() + begin, 3 * square.side, to.pixels.begin() + begin);
  }
}

}  // namespace

bool same_pixels(const FramePair& a, const FramePair& b) {
  return same_frame(a.first.get(), b.first.get()) && same_frame(a.second.get(), b.second.get());
}

std::vector<bool> UnchangedTokens::next(const FramePair& frames) {
  const RgbFrame* now[] = {frames.first.get(), frames.second.get()};
  const int side = shape_.patch_size * shape_.spatial_merge_size;
  const int rows = now[0]->height / side;
  const int columns = now[0]->width / side;
  TRU_ASSERT(now[1]->width == now[0]->width && now[1]->height == now[0]->height);
  std::vector<bool> kept(static_cast<std::size_t>(rows * columns), true);
  if (kept_[0].width != now[0]->width || kept_[0].height != now[0]->height) {
    for (int i = 0; i < 2; ++i) kept_[i] = *now[i];
    return kept;
  }
  const double most = kMostDifference * 2 * 3 * side * side;
  for (std::size_t token = 0; token < kept.size(); ++token) {
    const std::size_t line = 3 * static_cast<std::size_t>(now[0]->width);
    const std::size_t row = token / static_cast<std::size_t>(columns);
    const std::size_t column = token % static_cast<std::size_t>(columns);
    const auto pixels = static_cast<std::size_t>(side);
    const Square square{row * pixels * line + column * pixels * 3, line, side};
    const std::int64_t sum =
        difference(*now[0], kept_[0], square) + difference(*now[1], kept_[1], square);
    kept[token] = static_cast<double>(sum) > most;
    if (!kept[token]) continue;
    for (int i = 0; i < 2; ++i) copy(*now[i], kept_[i], square);
  }
  return kept;
}

}  // namespace tru::model::qwen3vl
