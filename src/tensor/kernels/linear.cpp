#include "tensor/kernels/linear.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "tensor/kernels/floats_portable.h"
#include "tensor/kernels/linear_layout.h"

namespace tru::tensor {
namespace {

float f16_to_f32(std::uint16_t bits) {
  const std::uint32_t exponent = bits >> 10 & 0x1F;
  const std::uint32_t mantissa = bits & 0x3FF;
  if (exponent == 0) return static_cast<float>(mantissa) * 0x1p-24f;
  return std::bit_cast<float>((exponent + 112) << 23 | mantissa << 13);
}

// A scale: not negative and finite. To the nearest that is not below, so that no weight overflows.
std::uint16_t scale_to_f16(float scale) {
  if (scale >= 65504.0f) return 0x7BFF;
  if (scale < 0x1p-14f) return static_cast<std::uint16_t>(std::ceil(scale * 0x1p24f));
  const auto bits = std::bit_cast<std::uint32_t>(scale) + 0x1FFFu;
  return static_cast<std::uint16_t>((bits >> 13) - (112u << 10));
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

std::int32_t round_weight(float value, float factor, std::int32_t limit) {
  const auto rounded = static_cast<std::int32_t>(std::lrintf(value * factor));
  return std::clamp(rounded, -limit, limit);
}

// Byte of an input channel's weight within its panel, but for the channel's place in the block.
std::int64_t byte_of(PackedFormat format, std::int64_t row, std::int64_t column) {
  const std::int64_t per_block = format == PackedFormat::int8 ? 4 : 8;
  return column / per_block * kBlockBytes + row * 4 + column % 4;
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
    const std::int32_t weight = round_weight(values[column], factor, 127);
    panel[byte_of(shape.format, row, column)] = static_cast<std::byte>(weight + 128);
  }
}

void pack_int4(const PackedShape& shape, const float* values, std::int64_t row, std::byte* panel) {
  for (std::int64_t group = 0; group < shape.groups(); ++group) {
    const std::int64_t first = group * kGroupColumns;
    const std::int64_t count = std::min(kGroupColumns, shape.columns - first);
    const std::uint16_t bits = scale_to_f16(largest_magnitude(values + first, count) / 7.0f);
    const float scale = f16_to_f32(bits);
    const std::int64_t at = block_bytes(shape) + (group * kPanelRows + row) * 2;
    std::memcpy(panel + at, &bits, sizeof bits);
    for (std::int64_t column = first; column < first + count; ++column) {
      const auto weight =
          static_cast<std::uint8_t>(round_weight(values[column], scale > 0 ? 1 / scale : 0, 7) + 8);
      std::byte& byte = panel[byte_of(shape.format, row, column)];
      byte = column % 8 < 4 ? (byte & std::byte{0xF0}) | std::byte{weight}
                            : (byte & std::byte{0x0F}) | std::byte{weight} << 4;
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

std::size_t LinearKernels::quantized_bytes(std::int64_t count, std::int64_t columns) const {
  const PackedShape shape{PackedFormat::int8, 0, columns};
  const std::size_t per_group = kGroupColumns * value_bytes + sizeof(float) + sizeof(std::int32_t);
  return static_cast<std::size_t>(count * shape.groups()) * per_group;
}

QuantizedRows LinearKernels::view(std::byte* block, std::int64_t count,
                                  std::int64_t columns) const {
  const std::int64_t groups = PackedShape{PackedFormat::int8, 0, columns}.groups();
  const auto entries = static_cast<std::size_t>(count * groups);
  std::byte* scales = block + entries * kGroupColumns * value_bytes;
  std::byte* sums = scales + entries * sizeof(float);
  return {block,
          reinterpret_cast<float*>(scales),
          reinterpret_cast<std::int32_t*>(sums),
          count,
          groups,
          tile_rows};
}

void LinearKernels::dequantize(const QuantizedRows& rows, std::int64_t row, std::int64_t columns,
                               float* out) const {
  const auto bytes = static_cast<std::int64_t>(value_bytes);
  const TilePlace place = place_of_row(rows, kGroupColumns * bytes / 4, row);
  constexpr std::int64_t kOrder[] = {0, 2, 1, 3};  // of int16 values
  for (std::int64_t i = 0; i < columns; ++i) {
    const std::int64_t index = bytes == 1 ? i : i / 4 * 4 + kOrder[i % 4];
    const std::int64_t word = place.words + index * bytes / 4 * place.rows;
    const std::byte* from = rows.values + word * 4 + index * bytes % 4;
    std::int32_t value = std::to_integer<std::int8_t>(*from);
    if (bytes == 2) {
      std::int16_t wide;
      std::memcpy(&wide, from, sizeof wide);
      value = wide;
    }
    const std::int64_t group = i / kGroupColumns;
    out[i] = static_cast<float>(value) * rows.scales[place.group + group * place.rows];
  }
}

void scales_to_f32(const std::byte* f16, float* scales) {
  for (std::int64_t i = 0; i < kPanelRows; ++i) {
    std::uint16_t bits;
    std::memcpy(&bits, f16 + i * 2, sizeof bits);
    scales[i] = f16_to_f32(bits);
  }
}

const LinearKernels& linear_kernels(CpuLevel level) {
  switch (level) {
#if defined(__x86_64__)
    case CpuLevel::avx2:
      return kAvx2Linear;
    case CpuLevel::avx_vnni:
      return kAvxVnniLinear;
    case CpuLevel::avx512_vnni:
    case CpuLevel::avx512_bf16:
      return kAvx512VnniLinear;
    case CpuLevel::amx:
      return kAmxLinear;
#endif
    default:
      return kPortableLinear;
  }
}

}  // namespace tru::tensor
