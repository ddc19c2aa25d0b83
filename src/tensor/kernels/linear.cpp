#include "tensor/kernels/linear.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "tensor/kernels/f16.h"
#include "tensor/kernels/floats_portable.h"
#include "tensor/kernels/linear_layout.h"

namespace tru::tensor {
namespace {

// To the nearest f16 that is finite; ties away from zero.
std::uint16_t scale_to_f16(float scale) {
  const std::uint16_t sign = std::signbit(scale) ? 0x8000 : 0;
  const float size = std::fabs(scale);
  if (size >= 65504.0f) return sign | 0x7BFF;
  if (size < 0x1p-14f) return sign | static_cast<std::uint16_t>(size * 0x1p24f + 0.5f);
  const auto bits = std::bit_cast<std::uint32_t>(size) + 0x1000u;
  return sign | static_cast<std::uint16_t>((bits >> 13) - (112u << 10));
}

using F = FloatsPortable;

// Of a channel or of a part of it.
float largest_magnitude(const float* values, std::int64_t count) {
  F::Float largest[4] = {};
  std::int64_t i = 0;
  for (; i + 4 * F::kLanes <= count; i += 4 * F::kLanes) {
    for (std::int64_t j = 0; j < 4; ++j) {
      largest[j] = F::max(F::abs(F::load(values + i + j * F::kLanes)), largest[j]);
    }
  }
  float top = F::largest(F::max(F::max(largest[0], largest[1]), F::max(largest[2], largest[3])));
  for (; i < count; ++i) top = std::max(top, std::fabs(values[i]));
  return top;
}

// The values of a group, with zeros where a matrix has none, in whole numbers from -8 to 7.
class GroupRounding {
 public:
  GroupRounding(const float* values, std::int64_t count) { std::copy_n(values, count, values_); }

  // The scale that leaves the least squared error of those tried: they take the value that is
  // farthest from zero to numbers around -8, where there is one more than on the other side, and
  // are made the best for what the others are rounded to.
  float best_scale() const {
    float top = largest_magnitude(values_, kGroupColumns);
    if (top == 0) return 0;
    if (std::find(values_, values_ + kGroupColumns, top) != values_ + kGroupColumns) top = -top;
    float best = 0, most = -1;
    for (const float number : {7.5f, 8.0f, 8.5f, 9.0f}) {
      F::Float products = F::set1(0), squares = F::set1(0);
      for (std::int64_t i = 0; i < kGroupColumns; i += F::kLanes) {
        const F::Float rounded = round(i, number / top);
        products = F::fma(F::load(values_ + i), rounded, products);
        squares = F::fma(rounded, rounded, squares);
      }
      // The error is the sum of the values' squares, less this.
      const float gain = F::sum(products) * F::sum(products) / F::sum(squares);
      if (gain > most) {
        most = gain;
        best = F::sum(products) / F::sum(squares);
      }
    }
    return best;
  }

  F::Float round(std::int64_t i, float factor) const {
    // Before rounding, which knows no large numbers.
    const F::Float scaled = F::load(values_ + i) * F::set1(factor);
    return F::round(F::min(F::max(scaled, F::set1(-8)), F::set1(7)));
  }

 private:
  float values_[kGroupColumns] = {};
};

// Byte of an input channel's weight within its panel, but for the channel's place in the block.
std::int64_t byte_of(PackedFormat format, std::int64_t row, std::int64_t column) {
  const std::int64_t per_block = format == PackedFormat::int8 ? 4 : 8;
  return column / per_block * kBlockBytes + row * 4 + column % 4;
}

// Of a value, from the start of its tile.
std::int64_t byte_in_tile(const QuantizedRows& x, const TilePlace& tile, std::int64_t row,
                          std::int64_t column) {
  if (x.layout == RowLayout::lines) {
    const std::int64_t line = column / kGroupColumns * x.tile_rows + row;
    return line * kGroupColumns + column % kGroupColumns;
  }
  const std::int64_t rows = has_whole_tiles(x.layout) ? x.tile_rows : tile.rows;
  return (column / 4 * rows + row) * 4 + column % 4;
}

void pack_int8(const PackedShape& shape, const float* values, std::int64_t row, std::byte* panel) {
  const float largest = largest_magnitude(values, shape.columns);
  const float factor = largest > 0 ? 127.0f / largest : 0;
  const float scale = largest / 127.0f;
  std::memcpy(panel + block_bytes(shape) + row * 4, &scale, sizeof scale);
  // Four columns at a time, as a block has them: beside each other.
  static_assert(F::kLanes == 4);
  std::int64_t column = 0;
  for (; column + 4 <= shape.columns; column += 4) {
    std::int8_t weights[4];
    F::store_rounded(weights, F::round(F::load(values + column) * F::set1(factor)));
    std::uint32_t word;
    std::memcpy(&word, weights, sizeof word);
    word ^= 0x80808080u;  // adds 128 to each
    std::memcpy(panel + byte_of(shape.format, row, column), &word, sizeof word);
  }
  for (; column < shape.columns; ++column) {
    const auto rounded = static_cast<std::int32_t>(std::lrintf(values[column] * factor));
    const std::int32_t weight = std::clamp(rounded, -127, 127);
    panel[byte_of(shape.format, row, column)] = static_cast<std::byte>(weight + 128);
  }
}

void pack_int4(const PackedShape& shape, const float* values, std::int64_t row, std::byte* panel) {
  for (std::int64_t group = 0; group < shape.groups(); ++group) {
    const std::int64_t first = group * kGroupColumns;
    const GroupRounding rounding(values + first, std::min(kGroupColumns, shape.columns - first));
    const std::uint16_t bits = scale_to_f16(rounding.best_scale());
    const std::int64_t at = block_bytes(shape) + (group * kPanelRows + row) * 2;
    std::memcpy(panel + at, &bits, sizeof bits);
    const float scale = f16_value(bits);
    if (scale == 0) continue;
    // Four columns at a time share bytes with the next four.
    for (std::int64_t i = 0; i < kGroupColumns; i += 8) {
      std::int8_t weights[8];
      F::store_rounded(weights, rounding.round(i, 1 / scale));
      F::store_rounded(weights + 4, rounding.round(i + 4, 1 / scale));
      for (std::int64_t j = 0; j < 4; ++j) {
        panel[byte_of(shape.format, row, first + i + j)] =
            static_cast<std::byte>(weights[j] + 8) | static_cast<std::byte>(weights[j + 4] + 8)
                                                         << 4;
      }
    }
  }
}

}  // namespace

std::size_t PackedShape::panel_bytes() const {
  const std::int64_t scales =
      format == PackedFormat::int8 ? kPanelRows * 4 : groups() * kPanelRows * 2;
  const std::int64_t bytes = block_bytes(*this) + scales;
  return static_cast<std::size_t>((bytes + 63) / 64 * 64);
}

void pack_panel(const PackedShape& shape, const float* values, std::int64_t count,
                std::byte* panel) {
  // Weights of zero wherever the matrix has none: inputs there are zero, scales too.
  const bool int8 = shape.format == PackedFormat::int8;
  const auto blocks = static_cast<std::size_t>(block_bytes(shape));
  std::memset(panel, int8 ? 0x80 : 0x88, blocks);
  std::memset(panel + blocks, 0, shape.panel_bytes() - blocks);
  for (std::int64_t row = 0; row < count; ++row) {
    const float* channel = values + row * shape.columns;
    int8 ? pack_int8(shape, channel, row, panel) : pack_int4(shape, channel, row, panel);
  }
}

void unpack_panel(const PackedShape& shape, const std::byte* panel, float* values) {
  for (std::int64_t row = 0; row < kPanelRows; ++row) {
    for (std::int64_t column = 0; column < shape.columns; ++column) {
      const auto byte = std::to_integer<std::int32_t>(panel[byte_of(shape.format, row, column)]);
      float& value = values[row * shape.columns + column];
      if (shape.format == PackedFormat::int8) {
        value = static_cast<float>(byte - 128) * channel_scales(shape, panel)[row];
        continue;
      }
      float scales[kPanelRows];
      scales_to_f32(group_scales(shape, panel, column / kGroupColumns), scales);
      const std::int32_t half = column % 8 < 4 ? byte & 15 : byte >> 4;
      value = static_cast<float>(half - 8) * scales[row];
    }
  }
}

namespace {

// The parts of a block of quantised activations, in this order.
struct BlockParts {
  BlockParts(const LinearKernels& kernels, std::int64_t count, std::int64_t columns) {
    rows.count = count;
    rows.groups = PackedShape{PackedFormat::int8, 0, columns}.groups();
    rows.tile_rows = kernels.tile_rows;
    rows.layout = kernels.layout;
    const std::int64_t room = has_whole_tiles(rows.layout) ? rows.tiles() * rows.tile_rows : count;
    values = static_cast<std::size_t>(room * rows.groups * kGroupColumns);
    of_spans = static_cast<std::size_t>(count * rows.spans()) * 4;
    of_groups = static_cast<std::size_t>(count * rows.groups) * 4;
    wide = static_cast<std::size_t>(rows.tiles() * rows.spans());
  }

  QuantizedRows rows{};
  std::size_t values, of_spans, of_groups, wide;
};

}  // namespace

std::size_t LinearKernels::quantized_bytes(std::int64_t count, std::int64_t columns) const {
  const BlockParts parts(*this, count, columns);
  // A line to align the first, and one that may be read behind the last.
  return 2 * kBlockBytes + 2 * parts.values + 2 * parts.of_spans + parts.of_groups + parts.wide;
}

QuantizedRows LinearKernels::view(std::byte* block, std::int64_t count,
                                  std::int64_t columns) const {
  const BlockParts parts(*this, count, columns);
  QuantizedRows rows = parts.rows;
  // Lines of a tile are lines of the cache.
  block += -reinterpret_cast<std::uintptr_t>(block) % kBlockBytes;
  const auto take = [&block](std::size_t bytes) { return std::exchange(block, block + bytes); };
  rows.values = take(parts.values);
  rows.upper = take(parts.values);
  rows.scales = reinterpret_cast<float*>(take(parts.of_spans));
  rows.span_sums = reinterpret_cast<std::int32_t*>(take(parts.of_spans));
  rows.sums = reinterpret_cast<std::int32_t*>(take(parts.of_groups));
  rows.wide = reinterpret_cast<std::uint8_t*>(take(parts.wide));
  return rows;
}

void dequantize(const QuantizedRows& x, std::int64_t row, std::int64_t columns, float* out) {
  const TilePlace tile(x, row / x.tile_rows);
  for (std::int64_t i = 0; i < columns; ++i) {
    const std::int64_t span = i / kSpanColumns;
    const std::int64_t at = tile.values + byte_in_tile(x, tile, row - tile.first, i);
    const std::byte offset{x.layout == RowLayout::unsigned_bytes ? std::uint8_t{0x80}
                                                                 : std::uint8_t{0}};
    std::int32_t value = std::to_integer<std::int8_t>(x.values[at] ^ offset);
    if (x.wide_groups(row / x.tile_rows, span) >> i / kGroupColumns % kSpanGroups & 1) {
      value += 256 * std::to_integer<std::int8_t>(x.upper[at] ^ offset);
    }
    out[i] = static_cast<float>(value) * x.scales[tile.scale(x, span) + row - tile.first];
  }
}

void scales_to_f32(const std::byte* f16, float* scales) {
  for (std::int64_t i = 0; i < kPanelRows; ++i) {
    std::uint16_t bits;
    std::memcpy(&bits, f16 + i * 2, sizeof bits);
    scales[i] = f16_value(bits);
  }
}

const LinearKernels& linear_kernels(CpuLevel level, std::int64_t count) {
  switch (level) {
#if defined(__x86_64__)
    case CpuLevel::avx2:
      return count <= kTileRows ? kAvx2Linear : kAvx2ManyLinear;
    case CpuLevel::avx_vnni:
      return kAvxVnniLinear;
    case CpuLevel::avx512_vnni:
      return kAvx512VnniLinear;
    case CpuLevel::amx:
      // So few rows leave tiles empty, and what counts is to read the weights.
      return count <= kTileRows ? kAvx512VnniLinear : kAmxLinear;
#endif
    default:
      return kPortableLinear;
  }
}

}  // namespace tru::tensor
