// Frames -> normalised patch rows, in the order the vision encoder reads them.
// Source: transformers video_processing_qwen3_vl.py, _preprocess.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/frame.h"

namespace tru::model::qwen3vl {

// Numbers of patches; t counts temporal patches, h and w are before the spatial merge.
struct GridTHW {
  std::int64_t t = 0;
  std::int64_t h = 0;
  std::int64_t w = 0;

  std::int64_t patches() const { return t * h * w; }
  bool operator==(const GridTHW&) const = default;
};

// A patch's place in its frame, in patches.
struct PatchPlace {
  std::int64_t row = 0;
  std::int64_t column = 0;
};

// Places in row order of the patch matrix: block row, block column, then row and column inside the
// merge x merge block. h and w are multiples of merge.
std::vector<PatchPlace> patch_places(std::int64_t h, std::int64_t w, std::int64_t merge);

struct PatchShape {
  int patch_size = 16;
  int temporal_patch_size = 2;
  int spatial_merge_size = 2;
  std::array<float, 3> image_mean = {0.5f, 0.5f, 0.5f};  // in [0, 1]
  std::array<float, 3> image_std = {0.5f, 0.5f, 0.5f};

  // Values per patch: channel, frame, y, x.
  std::int64_t row_size() const { return 3LL * temporal_patch_size * patch_size * patch_size; }
};

// f32 rows [grid.h * grid.w, shape.row_size()] of one temporal patch. Both frames have
// grid.h * patch_size by grid.w * patch_size pixels, multiples of the merged patch.
void make_patches(const FramePair& frames, const PatchShape& shape, std::span<float> rows);

}  // namespace tru::model::qwen3vl
