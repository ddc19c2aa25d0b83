// The size at which the model sees a picture. Pure functions; source: smart_resize in
// transformers' video_processing_qwen3_vl.py and image_processing_qwen2_vl.py.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace tru::media {

// Pixels.
struct FrameSize {
  int width = 0;
  int height = 0;
  bool operator==(const FrameSize&) const = default;
};

// The reference's `size`: bounds, in pixels, of a whole clip (frames * height * width) or of one
// image.
struct PixelBounds {
  std::int64_t shortest_edge = 0;
  std::int64_t longest_edge = 0;
};

enum class PixelBound { none, shortest_edge, longest_edge };

struct Resized {
  FrameSize size;                          // both sides are multiples of factor
  PixelBound bound_by = PixelBound::none;  // the bound that decided the size
};

// num_frames >= 1 sampled frames, not padded; factor = patch_size * merge_size; both sides > 0.
// media_dimensions if one side is over 200 times the other.
Result<Resized> resize_video(FrameSize frame, int num_frames, int temporal_patch_size, int factor,
                             PixelBounds bounds);

// media_dimensions as above.
Result<Resized> resize_image(FrameSize image, int factor, PixelBounds bounds);

}  // namespace tru::media
