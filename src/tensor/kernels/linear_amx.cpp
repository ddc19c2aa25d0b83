// Tiles of AMX: one instruction multiplies 16 rows of a group's 64 input channels by 16 channels.
//
// A group of a packed panel is a tile as it lies in memory, and so is a group of 16 rows. Two tiles
// of rows go against two panels at once: four registers hold sums, and each value that is loaded is
// multiplied twice. (On machines shared with others tile instructions took two to four times as
// long for most of the time; then it is the loads that count.)
#if defined(__x86_64__)

// GCC 12 takes its own _mm512_undefined_ps() for a mistake (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "tensor/kernels/linear_layout.h"

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,amx-tile,amx-int8")

#include "tensor/kernels/amx_tiles.h"
#include "tensor/kernels/floats_avx512.h"
#include "tensor/kernels/linear_quantize.h"

namespace tru::tensor {
namespace {

constexpr std::int64_t kBlockTiles = 16;  // whose sums are kept while the spans go by
constexpr std::int64_t kShareTiles = 32;
constexpr std::int64_t kNearBytes = std::int64_t{1} << 20;  // of inputs, in the L2 cache
constexpr std::int64_t kPairRows = 2 * kAmxSide;
constexpr std::int64_t kPairPanels = 2;
constexpr std::int64_t kPairChannels = kPairPanels * kPanelRows;
constexpr std::int64_t kTileBytes = kAmxSide * kAmxRowBytes;

// Of two tiles' rows and two panels' channels.
struct alignas(64) PairDots {
  std::int32_t values[kPairRows][kPairChannels];
};
struct alignas(64) PairSums {
  float values[kPairRows][kPairChannels];
};

// Some groups of one span of two panels, as tiles of unsigned bytes. A last panel without a second
// is taken twice.
template <PackedFormat format>
class SpanWeights {
 public:
  void read(const LinearTask& task, std::int64_t panel, std::int64_t span, std::int64_t groups) {
    const auto panel_bytes = static_cast<std::int64_t>(task.shape.panel_bytes());
    for (std::int64_t p = 0; p < kPairPanels; ++p) {
      const std::int64_t which = std::min(panel + p, task.end_panel - 1);
      const std::byte* weights = task.weights + which * panel_bytes;
      const std::int64_t first = span * kSpanGroups;
      if constexpr (format == PackedFormat::int8) {
        tiles_[p] = weights + first * kTileBytes;
      } else {
        for (std::int64_t g = 0; g < groups; ++g) unpack(task.shape, weights, first + g, p, g);
        tiles_[p] = unpacked_[p][0];
      }
    }
  }

  const std::byte* tile(std::int64_t p, std::int64_t group) const {
    return tiles_[p] + group * kTileBytes;
  }

  const float* scales(std::int64_t p, std::int64_t group) const { return scales_[p][group]; }

 private:
  void unpack(const PackedShape& shape, const std::byte* weights, std::int64_t group,
              std::int64_t p, std::int64_t g) {
    const std::byte* from = weights + group * Layout<format>::kBlocksPerGroup * kBlockBytes;
    const __m512i half = _mm512_set1_epi8(0x0F);
    for (std::int64_t b = 0; b < Layout<format>::kBlocksPerGroup; ++b) {
      const __m512i both = _mm512_loadu_si512(from + b * kBlockBytes);
      std::byte* to = unpacked_[p][g] + 2 * b * kBlockBytes;
      _mm512_store_si512(to, _mm512_and_si512(both, half));
      _mm512_store_si512(to + kBlockBytes, _mm512_and_si512(_mm512_srli_epi16(both, 4), half));
    }
    const auto* f16 = reinterpret_cast<const __m256i*>(group_scales(shape, weights, group));
    _mm512_store_ps(scales_[p][g], _mm512_cvtph_ps(_mm256_loadu_si256(f16)));
  }

  const std::byte* tiles_[kPairPanels];
  // int4
  alignas(64) std::byte unpacked_[kPairPanels][kSpanGroups][kTileBytes];
  alignas(64) float scales_[kPairPanels][kSpanGroups][kPanelRows];
};

alignas(64) constexpr float kNoScales[kAmxSide] = {};
constexpr std::int32_t kNoSums[kAmxSide] = {};

// Two tiles of the inputs; a last one without a second is taken twice, too.
struct InputPair {
  InputPair() = default;
  InputPair(const QuantizedRows& x, std::int64_t first, std::int64_t end)
      : tiles{first, std::min(first + 1, end - 1)} {
    for (int t = 0; t < 2; ++t) {
      const TilePlace place(x, tiles[t]);
      values[t] = place.values;
      scales[t] = place.scale(x, 0);
      sums[t] = place.sum(x, 0);
      tile_rows[t] = place.rows;
    }
    count = tile_rows[0] + (tiles[1] == first ? 0 : tile_rows[1]);
  }

  std::int64_t tiles[2];
  std::int64_t values[2];           // bytes before the tiles'
  std::int64_t scales[2], sums[2];  // indices of the tiles' first ones
  std::int64_t tile_rows[2];
  std::int64_t count;  // rows
};

// Registers 0 to 3 hold sums, 4 and 5 inputs, 6 and 7 weights.
[[gnu::always_inline]] inline void clear_sums() {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
}

[[gnu::always_inline]] inline void multiply_tiles(const std::byte* rows0, const std::byte* rows1,
                                                  const std::byte* weights0,
                                                  const std::byte* weights1) {
  _tile_loadd(4, rows0, kAmxRowBytes);
  _tile_loadd(6, weights0, kAmxRowBytes);
  _tile_loadd(5, rows1, kAmxRowBytes);
  _tile_loadd(7, weights1, kAmxRowBytes);
  _tile_dpbsud(0, 4, 6);
  _tile_dpbsud(1, 4, 7);
  _tile_dpbsud(2, 5, 6);
  _tile_dpbsud(3, 5, 7);
}

[[gnu::always_inline]] inline void store_sums(PairDots& dots) {
  constexpr std::int64_t kStep = sizeof dots.values[0];
  _tile_stored(0, dots.values[0], kStep);
  _tile_stored(1, dots.values[0] + kPanelRows, kStep);
  _tile_stored(2, dots.values[kAmxSide], kStep);
  _tile_stored(3, dots.values[kAmxSide] + kPanelRows, kStep);
}

// Adds the products of the upper bytes, of those groups of a span that have any.
template <PackedFormat format>
[[gnu::noinline]] void add_upper(const QuantizedRows& x, const InputPair& pair,
                                 const SpanWeights<format>& weights, std::int64_t span,
                                 std::int64_t begin, std::int64_t end, PairDots& dots) {
  alignas(64) static constexpr std::byte kNone[kTileBytes] = {};
  PairDots upper;
  clear_sums();
  for (std::int64_t g = begin; g < end; ++g) {
    const std::byte* rows[2];
    for (int t = 0; t < 2; ++t) {
      const bool any = (x.wide_groups(pair.tiles[t], span) >> g & 1) != 0;
      rows[t] = any ? x.upper + pair.values[t] + (span * kSpanGroups + g) * kTileBytes : kNone;
    }
    if (rows[0] == kNone && rows[1] == kNone) continue;
    multiply_tiles(rows[0], rows[1], weights.tile(0, g), weights.tile(1, g));
  }
  store_sums(upper);
  for (std::int64_t r = 0; r < kPairRows; ++r) {
    for (std::int64_t i = 0; i < kPairChannels; ++i) dots.values[r][i] += 256 * upper.values[r][i];
  }
}

// Where the outputs of two tiles' rows and two panels' channels go, and what becomes of the sums.
struct PairOutputs {
  std::int64_t rows;
  float* output;        // of the first row and channel
  const float* addend;  // the same, or null
  std::int64_t step;    // floats from a row to the next
  bool stream;          // past the caches
  bool has_bias;
  // By panel.
  __m512 scales[kPairPanels], bias[kPairPanels];
  __mmask16 lanes[kPairPanels];

  [[gnu::always_inline]] void put(std::int64_t row, int p, __m512 sum) const {
    const std::int64_t at = row * step + p * kPanelRows;
    __m512 y = _mm512_mul_ps(sum, scales[p]);
    if (has_bias) y = _mm512_add_ps(y, bias[p]);
    if (addend != nullptr) y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(lanes[p], addend + at));
    if (stream) {
      _mm512_stream_ps(output + at, y);
    } else {
      _mm512_mask_storeu_ps(output + at, lanes[p], y);
    }
  }
};

// Products in memory that are still to be scaled and added up. Rows that a tile lacks are scaled
// by what lies behind the others' scales.
struct Unscaled {
  const PairDots* dots;
  PairSums* sums;
  bool first;  // of the sums
  bool last;   // of the sums: what they come to goes to the outputs
  // By tile: the rows' steps and the sums of their multiples.
  const float* steps[2];
  const std::int32_t* input_sums[2];
  const float* weight_scales[kPairPanels];  // int4
  const PairOutputs* outputs;
};

// kRows of them, all in tile t.
template <PackedFormat format, bool kFirst, bool kLast, int kRows>
[[gnu::always_inline]] inline void add_scaled(const Unscaled& from, int t, int row) {
  constexpr int kOffsetBits = std::countr_zero(static_cast<unsigned>(Layout<format>::kOffset));
  const std::int64_t first = t * kAmxSide + row;
  const std::int32_t* dots = from.dots->values[first];
  float* sums = from.sums->values[first];
  const float* steps = from.steps[t] + row;
  const std::int32_t* input_sums = from.input_sums[t] + row;
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    const __m512i offset = _mm512_slli_epi32(_mm512_set1_epi32(input_sums[r]), kOffsetBits);
    const __m512 step = _mm512_set1_ps(steps[r]);
#pragma GCC unroll 2
    for (int p = 0; p < kPairPanels; ++p) {
      const std::int64_t at = r * kPairChannels + p * kPanelRows;
      __m512 scale = step;
      if constexpr (format == PackedFormat::int4) {
        scale = _mm512_mul_ps(step, _mm512_load_ps(from.weight_scales[p]));
      }
      const __m512i dot = _mm512_sub_epi32(_mm512_load_si512(dots + at), offset);
      const __m512 before = kFirst ? _mm512_setzero_ps() : _mm512_load_ps(sums + at);
      const __m512 sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), scale, before);
      if constexpr (!kLast) {
        _mm512_store_ps(sums + at, sum);
      } else if (first + r < from.outputs->rows) {
        from.outputs->put(first + r, p, sum);
      }
    }
  }
}

// Calls run(first, last) with what `unscaled` says, known to the compiler.
template <class Run>
[[gnu::always_inline]] inline void with_place(const Unscaled& unscaled, const Run& run) {
  using std::false_type, std::true_type;
  if (unscaled.first) {
    unscaled.last ? run(true_type(), true_type()) : run(true_type(), false_type());
  } else {
    unscaled.last ? run(false_type(), true_type()) : run(false_type(), false_type());
  }
}

// Multiplies some groups and meanwhile scales earlier products.
template <PackedFormat format, bool kFirst, bool kLast>
[[gnu::noinline]] void multiply_groups(const std::byte* const (&rows)[2],
                                       const std::byte* const (&weights)[kPairPanels],
                                       std::int64_t groups, PairDots& dots,
                                       const Unscaled& earlier) {
  constexpr int kRowsPerStep = static_cast<int>(kPairRows / kSpanGroups);
  clear_sums();
#pragma GCC unroll 8
  for (int step = 0; step < kSpanGroups; ++step) {
    if (step < groups) {
      const std::int64_t at = step * kTileBytes;
      multiply_tiles(rows[0] + at, rows[1] + at, weights[0] + at, weights[1] + at);
    }
    add_scaled<format, kFirst, kLast, kRowsPerStep>(earlier, step * kRowsPerStep / kAmxSide,
                                                    step * kRowsPerStep % kAmxSide);
  }
  store_sums(dots);
}

// Some tiles of rows, at most kBlockTiles, against two panels. What the tiles computed goes through
// memory to the vectors, which take it while the next products are computed.
template <PackedFormat format>
class Block {
 public:
  Block(const LinearTask& task, std::int64_t begin, std::int64_t end, std::int64_t panel)
      : task_(task), panel_(panel) {
    for (std::int64_t tile = begin; tile < end; tile += 2) {
      pairs_[pair_count_] = InputPair(task.inputs, tile, end);
      prepare(pairs_[pair_count_], outputs_[pair_count_]);
      ++pair_count_;
    }
  }

  void run() {
    const QuantizedRows& x = task_.inputs;
    for (std::int64_t span = 0; span < x.spans(); ++span) {
      const std::int64_t groups = std::min(kSpanGroups, x.groups - span * kSpanGroups);
      SpanWeights<format>& weights = weights_[span % 2];
      weights.read(task_, panel_, span, groups);
      memory_may_be_read_by_tiles();
      for (int pair = 0; pair < pair_count_; ++pair) {
        prefetch_weights(span, pair);
        prefetch_addend(span, outputs_[pair]);
        for (std::int64_t g = 0; g < groups; g += kGroupsPerScale) {
          multiply(pair, weights, span, g, std::min(groups, g + kGroupsPerScale));
        }
      }
    }
    with_place(unscaled_, [this](auto first, auto last) {
      for (int row = 0; row < kAmxSide; row += 8) {
        add_scaled<format, first, last, 8>(unscaled_, 0, row);
        add_scaled<format, first, last, 8>(unscaled_, 1, row);
      }
    });
  }

 private:
  static constexpr std::int64_t kGroupsPerScale = format == PackedFormat::int8 ? kSpanGroups : 1;

  void multiply(int index, const SpanWeights<format>& weights, std::int64_t span,
                std::int64_t begin, std::int64_t end) {
    const InputPair& pair = pairs_[index];
    const QuantizedRows& x = task_.inputs;
    const std::byte* values = x.values + (span * kSpanGroups + begin) * kTileBytes;
    const std::byte* rows[2] = {values + pair.values[0], values + pair.values[1]};
    const std::byte* tiles[kPairPanels] = {weights.tile(0, begin), weights.tile(1, begin)};
    PairDots& dots = dots_[turn_];
    with_place(unscaled_, [&](auto first, auto last) {
      multiply_groups<format, first, last>(rows, tiles, end - begin, dots, unscaled_);
    });
    const unsigned all = (1u << end) - (1u << begin);
    const unsigned wide = x.wide_groups(pair.tiles[0], span) | x.wide_groups(pair.tiles[1], span);
    if ((wide & all) != 0) [[unlikely]] {
      add_upper(x, pair, weights, span, begin, end, dots);
    }
    unscaled_.dots = &dots;
    unscaled_.sums = &sums_[index];
    unscaled_.first = span == 0 && begin == 0;
    unscaled_.last = span * kSpanGroups + end == x.groups;
    unscaled_.outputs = &outputs_[index];
    for (int i = 0; i < 2; ++i) {
      const std::int64_t scale = pair.scales[i] + span * pair.tile_rows[i];
      unscaled_.steps[i] = x.scales + scale;
      unscaled_.input_sums[i] =
          format == PackedFormat::int8
              ? x.span_sums + scale
              : x.sums + pair.sums[i] + (span * kSpanGroups + begin) * pair.tile_rows[i];
      unscaled_.weight_scales[i] = weights.scales(i, begin);
    }
    turn_ = 1 - turn_;
  }

  // A part of what comes after a span's weights, into the L2 cache.
  void prefetch_weights(std::int64_t span, int pair) const {
    constexpr std::int64_t kSpanBytes = kSpanGroups * Layout<format>::kBlocksPerGroup * kBlockBytes;
    constexpr std::int64_t kPart = kSpanBytes / (kBlockTiles / 2);
    const auto panel_bytes = static_cast<std::int64_t>(task_.shape.panel_bytes());
    const bool last = span + 1 == task_.inputs.spans();
    const std::byte* next = task_.weights + (panel_ + (last ? kPairPanels : 0)) * panel_bytes +
                            (last ? 0 : (span + 1) * kSpanBytes) + pair * kPart;
    for (std::int64_t i = 0; i < kPart; i += kBlockBytes) {
      __builtin_prefetch(next + i, 0, 2);
      __builtin_prefetch(next + panel_bytes + i, 0, 2);
    }
  }

  // A part of what is added to the outputs: its rows are far apart.
  void prefetch_addend(std::int64_t span, const PairOutputs& outputs) const {
    if (outputs.addend == nullptr) return;
    const std::int64_t spans = task_.inputs.spans();
    const std::int64_t end = outputs.rows * (span + 1) / spans;
    for (std::int64_t row = outputs.rows * span / spans; row < end; ++row) {
      __builtin_prefetch(outputs.addend + row * outputs.step, 0, 2);
      __builtin_prefetch(outputs.addend + row * outputs.step + kPanelRows, 0, 2);
    }
  }

  void prepare(const InputPair& pair, PairOutputs& to) const {
    const std::int64_t panels = std::min(kPairPanels, task_.end_panel - panel_);
    for (std::int64_t p = 0; p < kPairPanels; ++p) {
      const std::int64_t panel = panel_ + std::min(p, panels - 1);
      const std::int64_t channel = panel * kPanelRows;
      const std::byte* weights =
          task_.weights + panel * static_cast<std::int64_t>(task_.shape.panel_bytes());
      const std::int64_t left = std::min(kPanelRows, task_.shape.rows - channel);
      to.lanes[p] = p < panels ? static_cast<__mmask16>((1u << left) - 1) : 0;
      to.scales[p] = format == PackedFormat::int8
                         ? _mm512_loadu_ps(channel_scales(task_.shape, weights))
                         : _mm512_set1_ps(1);
      to.bias[p] = task_.bias == nullptr ? _mm512_setzero_ps()
                                         : _mm512_maskz_loadu_ps(to.lanes[p], task_.bias + channel);
    }
    const std::int64_t at = task_.output.index(pair.tiles[0] * kAmxSide, panel_ * kPanelRows);
    to.has_bias = task_.bias != nullptr;
    to.rows = pair.count;
    to.output = task_.output.values + at;
    to.addend = task_.addend == nullptr ? nullptr : task_.addend + at;
    to.step = task_.output.step;
    to.stream = panels == kPairPanels && streams_outputs(task_);
  }

  const LinearTask& task_;
  std::int64_t panel_;
  int pair_count_ = 0;
  int turn_ = 0;
  InputPair pairs_[kBlockTiles / 2];
  PairOutputs outputs_[kBlockTiles / 2];
  PairDots dots_[2];
  PairSums sums_[kBlockTiles / 2];
  SpanWeights<format> weights_[2];  // of this span and the one before
  // Before there is anything: zeros, of rows that are yet to come.
  Unscaled unscaled_{&dots_[1],
                     &sums_[0],
                     true,
                     false,
                     {kNoScales, kNoScales},
                     {kNoSums, kNoSums},
                     {kNoScales, kNoScales},
                     nullptr};
};

// Some rows, as many as the L2 cache has room for, against all panels, then the next rows.
template <PackedFormat format>
void multiply_format(const LinearTask& task) {
  const std::int64_t blocks = kNearBytes / (task.inputs.groups * kTileBytes * kBlockTiles);
  const std::int64_t near = std::max<std::int64_t>(1, blocks) * kBlockTiles;
  for (std::int64_t begin = task.begin_tile; begin < task.end_tile; begin += near) {
    const std::int64_t end = std::min(begin + near, task.end_tile);
    for (std::int64_t panel = task.begin_panel; panel < task.end_panel; panel += kPairPanels) {
      for (std::int64_t tile = begin; tile < end; tile += kBlockTiles) {
        Block<format>(task, tile, std::min(end, tile + kBlockTiles), panel).run();
      }
    }
  }
}

void multiply(const LinearTask& task) {
  const AmxTiles registers;
  task.shape.format == PackedFormat::int8 ? multiply_format<PackedFormat::int8>(task)
                                          : multiply_format<PackedFormat::int4>(task);
  _mm_sfence();  // other threads see what went past the caches
}

}  // namespace

const LinearKernels kAmxLinear = {RowLayout::lines, kAmxSide, kShareTiles,
                                  quantize<FloatsAvx512, RowLayout::lines, kAmxSide>, multiply};

}  // namespace tru::tensor

#pragma GCC pop_options

#endif
