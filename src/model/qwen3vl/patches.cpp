#include "model/qwen3vl/patches.h"

#include "base/assert.h"

namespace tru::model::qwen3vl {
namespace {

using ByteToFloat = std::array<std::array<float, 256>, 3>;

// The reference's one fused step in f32: (x - 255 mean) / (255 std).
ByteToFloat normalise_table(const PatchShape& shape) {
  ByteToFloat table;
  for (std::size_t channel = 0; channel < 3; ++channel) {
    const float mean = shape.image_mean[channel] * 255.0f;
    const float deviation = shape.image_std[channel] * 255.0f;
    for (int value = 0; value < 256; ++value) {
      table[channel][static_cast<std::size_t>(value)] = (value - mean) / deviation;
    }
  }
  return table;
}

}  // namespace

std::vector<PatchPlace> patch_places(std::int64_t h, std::int64_t w, std::int64_t merge) {
  std::vector<PatchPlace> places;
  places.reserve(static_cast<std::size_t>(h * w));
  for (std::int64_t block_row = 0; block_row < h; block_row += merge) {
    for (std::int64_t block_column = 0; block_column < w; block_column += merge) {
      for (std::int64_t row = 0; row < merge; ++row) {
        for (std::int64_t column = 0; column < merge; ++column) {
          places.push_back({block_row + row, block_column + column});
        }
      }
    }
  }
  return places;
}

void make_patches(const FramePair& frames, const PatchShape& shape, std::span<float> rows) {
  const int size = shape.patch_size;
  const int width = frames.first->width;
  const int height = frames.first->height;
  TRU_ASSERT(frames.second->width == width && frames.second->height == height);
  TRU_ASSERT(shape.temporal_patch_size == 2 && width % size == 0 && height % size == 0);
  const auto places = patch_places(height / size, width / size, shape.spatial_merge_size);
  TRU_ASSERT(rows.size() == places.size() * static_cast<std::size_t>(shape.row_size()));

  const ByteToFloat table = normalise_table(shape);
  float* out = rows.data();
  for (const PatchPlace& place : places) {
    for (std::size_t channel = 0; channel < 3; ++channel) {
      for (const RgbFrame* frame : {frames.first.get(), frames.second.get()}) {
        for (int y = 0; y < size; ++y) {
          const std::size_t line = static_cast<std::size_t>(place.row * size + y) * width;
          const std::uint8_t* in =
              &frame->pixels[3 * (line + static_cast<std::size_t>(place.column * size)) + channel];
          for (int x = 0; x < size; ++x) *out++ = table[channel][in[3 * x]];
        }
      }
    }
  }
}

}  // namespace tru::model::qwen3vl
