// Which visual tokens of a clip show what was shown before: those that may be left out when speed
// matters more than certainty. After "Efficient Video Sampling" (arXiv 2510.14624).
#pragma once

#include <vector>

#include "model/qwen3vl/patches.h"

namespace tru::model::qwen3vl {

// Same pictures, pixel by pixel; a shared frame is not looked at.
bool same_pixels(const FramePair& a, const FramePair& b);

// Follows one clip. A token is unchanged while the mean difference of its pixels from those with
// which it was last kept is at most kMostDifference; so what moves slowly is kept in the end.
class UnchangedTokens {
 public:
  static constexpr double kMostDifference = 1.0;  // of 255

  explicit UnchangedTokens(const PatchShape& shape) : shape_(shape) {}

  // For each token of the clip's next temporal patch, in row order, whether it is to be kept: all
  // of the first one and of one of another size.
  std::vector<bool> next(const FramePair& frames);

 private:
  PatchShape shape_;
  RgbFrame kept_[2];  // the pixels of every token when it was last kept
};

}  // namespace tru::model::qwen3vl
