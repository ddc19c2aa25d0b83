// How packed weights and quantised activations lie in memory.
//
// A panel is a sequence of blocks of 64 bytes, four to each of its 16 output channels: for int8,
// weights of four input channels; for int4, of eight, the first four in the low halves of the
// bytes. Behind the blocks come the scales: int8, 16 floats; int4, 16 f16 for each group.
//
// Activations come in words of 4 bytes, of four input channels. Word by word, a tile holds the
// first word of each of its rows, then the second, and so on, as many at once as a dot product
// takes. Row by row, it holds a group's 16 words of its first row, then of the second, as a tile
// register does. Scales and sums: those of the rows side by side, span by span and group by group.
// The last tile may have fewer rows; linear.h says in which layouts it has room for all.
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

// 16 of them as floats. Scales are finite.
void scales_to_f32(const std::byte* f16, float* scales);

// The tile that a row is in.
struct TilePlace {
  TilePlace(const QuantizedRows& x, std::int64_t tile)
      : first(tile * x.tile_rows),
        rows(x.count - first < x.tile_rows ? x.count - first : x.tile_rows),
        values(first * x.groups * kGroupColumns) {}

  std::int64_t first;   // row
  std::int64_t rows;    // in this tile
  std::int64_t values;  // bytes before those of the tile

  std::int64_t scale(const QuantizedRows& x, std::int64_t span) const {
    return first * x.spans() + span * rows;
  }
  std::int64_t sum(const QuantizedRows& x, std::int64_t group) const {
    return first * x.groups + group * rows;
  }
};

inline void prefetch(const std::byte* from, std::int64_t bytes) {
  for (std::int64_t i = 0; i < bytes; i += kBlockBytes) __builtin_prefetch(from + i);
}

// Whether outputs go past the caches, which have no room for those of a layer: where panels fill
// lines of the cache and nothing has to be read for them.
inline bool streams_outputs(const LinearTask& task) {
  return !task.read_soon && task.addend == nullptr && task.shape.rows % kPanelRows == 0 &&
         task.output.step % kPanelRows == 0 &&
         reinterpret_cast<std::uintptr_t>(task.output.values) % kBlockBytes == 0;
}

// Kernels of the levels.
extern const LinearKernels kPortableLinear;
#if defined(__x86_64__)
extern const LinearKernels kAvx2Linear;
extern const LinearKernels kAvx2ManyLinear;  // for many rows
extern const LinearKernels kAvxVnniLinear;
extern const LinearKernels kAvx512VnniLinear;
extern const LinearKernels kAmxLinear;
#endif

}  // namespace tru::tensor
