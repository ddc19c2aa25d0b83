// Tiles of AMX: one instruction multiplies 16 channels by 16 rows of a group's 64 input channels.
//
// What it takes on its left side lies row by row, on its right as packed weights and quantised
// activations both lie. So weights are turned, some groups at a time, for all rows of the call:
// sums then have a channel's 16 rows side by side, and a group's scales are one vector.
#if defined(__x86_64__)

// GCC 12 takes its own _mm512_undefined_ps() for a mistake (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/kernels/linear_layout.h"

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,amx-tile,amx-int8")

#include "tensor/kernels/amx_tiles.h"
#include "tensor/kernels/floats_avx512.h"
#include "tensor/kernels/linear_quantize.h"

namespace tru::tensor {
namespace {

constexpr std::int64_t kBlockTiles = 32;   // whose sums are kept while the groups go by
constexpr std::int64_t kChunkGroups = 16;  // of turned weights: two panels' fit into the L1 cache
constexpr std::int64_t kPairPanels = 2;    // that a tile's values are read for at once

// The 16 bytes at p, p + step, p + 2 step and p + 3 step side by side.
[[gnu::always_inline]] inline __m512i load_lanes(const std::byte* p, std::int64_t step) {
  const auto load = [](const std::byte* at) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  };
  __m512i lanes = _mm512_castsi128_si512(load(p));
  lanes = _mm512_mask_broadcast_i32x4(lanes, 0x00F0, load(p + step));
  lanes = _mm512_mask_broadcast_i32x4(lanes, 0x0F00, load(p + 2 * step));
  return _mm512_mask_broadcast_i32x4(lanes, 0xF000, load(p + 3 * step));
}

// Four columns of a matrix of 16 x 16 words, of which rows[j] has four words of each of the rows
// j, 4 + j, 8 + j and 12 + j, as load_lanes() gives them. Half as many shuffles as from whole rows.
[[gnu::always_inline]] inline void turn_rows(__m512i (&rows)[4]) {
  const __m512i a = _mm512_unpacklo_epi32(rows[0], rows[1]);
  const __m512i b = _mm512_unpackhi_epi32(rows[0], rows[1]);
  const __m512i c = _mm512_unpacklo_epi32(rows[2], rows[3]);
  const __m512i d = _mm512_unpackhi_epi32(rows[2], rows[3]);
  rows[0] = _mm512_unpacklo_epi64(a, c);
  rows[1] = _mm512_unpackhi_epi64(a, c);
  rows[2] = _mm512_unpacklo_epi64(b, d);
  rows[3] = _mm512_unpackhi_epi64(b, d);
}

// Some groups of a panel, turned, without offsets.
struct TurnedWeights {
  alignas(64) std::int8_t values[kChunkGroups][kPanelRows][kGroupColumns];
  alignas(64) float scales[kChunkGroups][kPanelRows];  // int4
};

template <PackedFormat format>
void turn(const PackedShape& shape, const std::byte* panel, std::int64_t first, std::int64_t groups,
          TurnedWeights& out) {
  constexpr std::int64_t kWordsPerBlock = format == PackedFormat::int8 ? 1 : 2;
  const std::byte* from = panel + first * Layout<format>::kBlocksPerGroup * kBlockBytes;
  const __m512i offset = _mm512_set1_epi8(static_cast<char>(Layout<format>::kOffset));
  for (std::int64_t g = 0; g < groups; ++g) {
#pragma GCC unroll 4
    for (int lane = 0; lane < 4; ++lane) {
      __m512i words[4];
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        words[j] = load_lanes(from + j / kWordsPerBlock * kBlockBytes + lane * 16,
                              4 / kWordsPerBlock * kBlockBytes);
        if constexpr (format == PackedFormat::int4) {
          const __m512i half = j % 2 == 0 ? words[j] : _mm512_srli_epi16(words[j], 4);
          words[j] = _mm512_and_si512(half, _mm512_set1_epi8(0x0F));
        }
      }
      turn_rows(words);
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        _mm512_store_si512(out.values[g][4 * lane + j], _mm512_sub_epi8(words[j], offset));
      }
    }
    from += Layout<format>::kBlocksPerGroup * kBlockBytes;
    if constexpr (format == PackedFormat::int4) {
      const std::byte* scales = group_scales(shape, panel, first + g);
      _mm512_store_ps(
          out.scales[g],
          _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(scales))));
    }
  }
}

// Of one panel's channels and one tile's rows.
template <typename Number>
struct alignas(64) PerChannelAndRow {
  Number values[kPanelRows][kAmxSide];
};
using TileDots = PerChannelAndRow<std::int32_t>;
using TileSums = PerChannelAndRow<float>;

// A tile of the inputs. One with fewer rows is read as if it had all: what then stands in the lanes
// behind is the next words', or what follows the values in their block, and is not used. (More than
// kTileRows rows have enough behind them: eight bytes of scales and sums each.)
struct InputTile {
  InputTile(const QuantizedRows& x, std::int64_t tile)
      : row(tile * kAmxSide),
        rows(std::min(kAmxSide, x.count - row)),
        values(x.values + row * x.groups * kGroupColumns),
        scales(x.scales + row * x.groups),
        lanes(static_cast<__mmask16>((1u << rows) - 1)) {}

  std::int64_t row, rows;
  const std::byte* values;
  const float* scales;
  __mmask16 lanes;
};

// Adds one group's products to the sums.
template <PackedFormat format>
[[gnu::always_inline]] inline void add_scaled(const TileDots& dots, __m512 scale,
                                              const float* weight_scales, TileSums& sums) {
#pragma GCC unroll 16
  for (int c = 0; c < kPanelRows; ++c) {
    __m512 both = scale;
    if constexpr (format == PackedFormat::int4) {
      both = _mm512_mul_ps(scale, _mm512_set1_ps(weight_scales[c]));
    }
    const __m512 dot = _mm512_cvtepi32_ps(_mm512_load_si512(dots.values[c]));
    _mm512_store_ps(sums.values[c], _mm512_fmadd_ps(dot, both, _mm512_load_ps(sums.values[c])));
  }
}

// Adds the products of some groups, from `first` on. What the tiles computed goes through memory to
// the vectors; these take it one group later, so that nobody waits. Registers 0 and 1 hold sums of
// the two panels, 2 and 3 weights of theirs, 4 inputs.
template <PackedFormat format>
[[gnu::noinline]] void add_groups(const TurnedWeights (&weights)[kPairPanels], const InputTile& x,
                                  std::int64_t first, std::int64_t groups,
                                  TileSums (&sums)[kPairPanels]) {
  TileDots dots[2][kPairPanels];
  const std::byte* values = x.values + first * x.rows * kGroupColumns;
  const float* scales = x.scales + first * x.rows;
  const std::int64_t word_bytes = x.rows * 4;
  for (std::int64_t g = 0; g <= groups; ++g) {
    if (g < groups) {
      TileDots(&out)[kPairPanels] = dots[g % 2];
      _tile_loadd(4, values + g * x.rows * kGroupColumns, word_bytes);
      _tile_loadd(2, weights[0].values[g], kGroupColumns);
      _tile_zero(0);
      _tile_dpbssd(0, 2, 4);
      _tile_stored(0, out[0].values, 64);
      _tile_loadd(3, weights[1].values[g], kGroupColumns);
      _tile_zero(1);
      _tile_dpbssd(1, 3, 4);
      _tile_stored(1, out[1].values, 64);
    }
    if (g == 0) continue;
    const std::int64_t done = g - 1;
    const __m512 scale = _mm512_maskz_loadu_ps(x.lanes, scales + done * x.rows);
    for (int p = 0; p < kPairPanels; ++p) {
      add_scaled<format>(dots[done % 2][p], scale, weights[p].scales[done], sums[p]);
    }
  }
}

// Scales, bias and addend of one panel's channels and one tile's rows, then into memory.
void finish(const LinearTask& task, const InputTile& x, std::int64_t panel, const TileSums& sums) {
  const std::byte* weights =
      task.weights + panel * static_cast<std::int64_t>(task.shape.panel_bytes());
  const std::int64_t channel = panel * kPanelRows;
  const std::int64_t left = std::min(kPanelRows, task.shape.rows - channel);
  const auto channels = static_cast<__mmask16>((1u << left) - 1);
  const bool int8 = task.shape.format == PackedFormat::int8;
  const __m512 scales =
      int8 ? _mm512_loadu_ps(channel_scales(task.shape, weights)) : _mm512_set1_ps(1);
  const __m512 bias = task.bias == nullptr ? _mm512_setzero_ps()
                                           : _mm512_maskz_loadu_ps(channels, task.bias + channel);
  const auto* from = reinterpret_cast<const std::byte*>(sums.values);
  for (std::int64_t first = 0; first < x.rows; first += 4) {
    __m512i rows[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) rows[j] = load_lanes(from + j * 64 + first * 4, 4 * 64);
    turn_rows(rows);
    for (std::int64_t j = 0; j < std::min<std::int64_t>(4, x.rows - first); ++j) {
      const std::int64_t at = (x.row + first + j) * task.shape.rows + channel;
      __m512 y = _mm512_mul_ps(_mm512_castsi512_ps(rows[j]), scales);
      if (task.bias != nullptr) y = _mm512_add_ps(y, bias);
      if (task.addend != nullptr) {
        y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(channels, task.addend + at));
      }
      _mm512_mask_storeu_ps(task.output + at, channels, y);
    }
  }
}

// Rows of outputs are far apart: their lines are fetched while the sums are still computed.
inline void prefetch_outputs(const LinearTask& task, const InputTile& x, std::int64_t panel) {
  const float* first = task.output + x.row * task.shape.rows + panel * kPanelRows;
  for (std::int64_t r = 0; r < x.rows; ++r) {
    __builtin_prefetch(first + r * task.shape.rows, 1);
    __builtin_prefetch(first + r * task.shape.rows + kPanelRows, 1);
  }
}

// Tiles [begin, end), at most kBlockTiles, against two panels. A last one without a second is taken
// twice.
template <PackedFormat format>
void multiply_block(const LinearTask& task, std::int64_t begin, std::int64_t end,
                    std::int64_t panel) {
  TileSums sums[kBlockTiles][kPairPanels];
  TurnedWeights turned[kPairPanels];
  const std::int64_t panels = std::min(kPairPanels, task.end_panel - panel);
  const auto panel_bytes = static_cast<std::int64_t>(task.shape.panel_bytes());
  std::memset(sums, 0, static_cast<std::size_t>(end - begin) * sizeof sums[0]);
  for (std::int64_t first = 0; first < task.inputs.groups; first += kChunkGroups) {
    const std::int64_t groups = std::min(kChunkGroups, task.inputs.groups - first);
    const bool last = first + groups == task.inputs.groups;
    for (std::int64_t p = 0; p < kPairPanels; ++p) {
      const std::byte* weights = task.weights + (panel + std::min(p, panels - 1)) * panel_bytes;
      turn<format>(task.shape, weights, first, groups, turned[p]);
    }
    memory_may_be_read_by_tiles();
    for (std::int64_t tile = begin; tile < end; ++tile) {
      const InputTile x(task.inputs, tile);
      if (last) prefetch_outputs(task, x, panel);
      add_groups<format>(turned, x, first, groups, sums[tile - begin]);
      for (std::int64_t p = 0; last && p < panels; ++p) {
        finish(task, x, panel + p, sums[tile - begin][p]);
      }
    }
  }
}

void multiply(const LinearTask& task) {
  // So few rows lie as the smaller tiles do, and what counts is to read the weights.
  if (task.inputs.count <= kTileRows) return kAvx512VnniLinear.multiply(task);
  const AmxTiles registers;
  for (std::int64_t panel = task.begin_panel; panel < task.end_panel; panel += kPairPanels) {
    for (std::int64_t tile = task.begin_tile; tile < task.end_tile; tile += kBlockTiles) {
      const std::int64_t end = std::min(task.end_tile, tile + kBlockTiles);
      task.shape.format == PackedFormat::int8
          ? multiply_block<PackedFormat::int8>(task, tile, end, panel)
          : multiply_block<PackedFormat::int4>(task, tile, end, panel);
    }
  }
}

}  // namespace

const LinearKernels kAmxLinear = {sizeof(std::int8_t), kAmxSide, kBlockTiles,
                                  quantize<FloatsAvx512, std::int8_t, kAmxSide>, multiply};

}  // namespace tru::tensor

#pragma GCC pop_options

#endif
