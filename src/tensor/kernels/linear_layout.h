// How packed weights and quantised activations lie in memory.
//
// A panel is a sequence of blocks of 64 bytes, four to each of its 16 output channels: for int8,
// weights of four input channels; for int4, of eight, the first four in the low halves of the
// bytes. Behind the blocks come the scales: int8, 16 floats; int4, 16 f16 for each group.
//
// Activations come in words of 4 bytes, the four values of int8 input channels or two of int16
// ones, as many at once as a dot product takes. A tile holds the first word of each of its rows,
// then the second, and so on; scales and sums likewise, group by group.
#pragma once

#include <cstdint>

#include "tensor/kernels/linear.h"

namespace tru::tensor {

inline constexpr std::int64_t kBlockBytes = 64;

// Of the levels that hold a tile's sums in registers.
inline constexpr std::int64_t kTileRows = 6;
inline constexpr std::int64_t kTilesPerShare = 32;

template <PackedFormat format>
struct Layout;

template <>
struct Layout<PackedFormat::int8> {
  static constexpr std::int32_t kOffset = 128;  // added to a weight before it is stored
  static constexpr int kBlocksPerGroup = 16;
};

template <>
struct Layout<PackedFormat::int4> {
  static constexpr std::int32_t kOffset = 8;
  static constexpr int kBlocksPerGroup = 8;
};

inline std::int64_t block_bytes(const PackedShape& shape) {
  const int blocks = shape.format == PackedFormat::int8
                         ? Layout<PackedFormat::int8>::kBlocksPerGroup
                         : Layout<PackedFormat::int4>::kBlocksPerGroup;
  return shape.groups() * blocks * kBlockBytes;
}

// int8: of the panel's 16 channels.
inline const float* channel_scales(const PackedShape& shape, const std::byte* panel) {
  return reinterpret_cast<const float*>(panel + block_bytes(shape));
}

// int4: 16 f16 of one group.
inline const std::byte* group_scales(const PackedShape& shape, const std::byte* panel,
                                     std::int64_t group) {
  return panel + block_bytes(shape) + group * kPanelRows * 2;
}

// 16 of them as floats. Scales are not negative and finite.
void scales_to_f32(const std::byte* f16, float* scales);

// Where the values of a row start, how far apart its words are, and the same for its groups.
struct TilePlace {
  std::int64_t rows;   // in this tile
  std::int64_t words;  // index of the row's first word
  std::int64_t group;  // index of the row's first scale and sum
};

inline TilePlace place_of_row(const QuantizedRows& x, std::int64_t words_per_group,
                              std::int64_t row) {
  const std::int64_t tile = row / x.tile_rows * x.tile_rows;
  const std::int64_t in_tile = row - tile;
  const std::int64_t rows = x.count - tile < x.tile_rows ? x.count - tile : x.tile_rows;
  return {rows, tile * x.groups * words_per_group + in_tile, tile * x.groups + in_tile};
}

// Kernels of the levels.
extern const LinearKernels kPortableLinear;
#if defined(__x86_64__)
extern const LinearKernels kAvx2Linear;
extern const LinearKernels kAvxVnniLinear;
extern const LinearKernels kAvx512VnniLinear;
extern const LinearKernels kAmxLinear;
#endif

}  // namespace tru::tensor
