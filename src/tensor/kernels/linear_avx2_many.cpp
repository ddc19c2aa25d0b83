// Many rows by AVX2: vpmaddubsw multiplies unsigned by signed bytes and adds the products up two by
// two, in 16 bits that saturate.
//
// Inputs come with 128 added. Then two products overflow only where two weights of one sign are
// beyond 128 together, one pair in fifty to a hundred. There the first weight is made smaller, and
// what it lost, its excess, is multiplied apart. So sums are exact, at three instructions for 32
// products; widened to 16 bits they take four, which a core whose other thread is at work feels: it
// starts three instructions a cycle then, not six.
#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <span>

#include "tensor/kernels/linear_layout.h"

#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")

#include "tensor/kernels/floats_avx2.h"
#include "tensor/kernels/linear_quantize.h"
#include "tensor/kernels/linear_tile.h"
#include "tensor/kernels/linear_vectors_256.h"

namespace tru::tensor {
namespace {

using V = Vectors256;

constexpr std::int64_t kManyRows = 16;              // of a tile
constexpr std::int64_t kRowsAtOnce = 4;             // whose sums registers hold
constexpr std::int64_t kManyTiles = 32;             // of a share
constexpr std::int64_t kStepBytes = 4 * kManyRows;  // of four input channels
constexpr std::int64_t kGroupSteps = kGroupColumns / 4;
constexpr std::int64_t kSpanSteps = kSpanGroups * kGroupSteps;
constexpr std::int16_t kMostOfPair = 128;  // 128 * 255 < 2^15

// What a weight lacks. 255 times as much is below 2^15: the product needs no sign.
struct Excess {
  std::int32_t weight;   // the lowest byte
  std::int32_t input;    // bytes before the word, of a tile and span, whose lowest it goes with
  std::int32_t channel;  // of the panel
};

// Of a span.
struct ExcessList {
  std::int64_t count;
  std::int64_t end[kSpanGroups];  // of those of each group
  Excess list[kSpanSteps * 2 * kPanelRows];
};

// Weights of a panel's span as signed bytes.
struct SpanWeights {
  __m256i steps[kSpanSteps][2];
  // -128 times their sums, which takes out again what was added to the inputs.
  __m256i starts[kSpanGroups][2];
  ExcessList above, below;  // to be added, and to be taken away
};

// Makes the first weight smaller of each pair that is beyond the most: weights are -127 to 127, so
// both have one sign and are larger than what is beyond. pairs: their sums; over: how far beyond, 0
// for the others.
[[gnu::noinline]] __m256i reduce(__m256i weights, __m256i pairs, __m256i over, std::int64_t step,
                                 int v, SpanWeights& to) {
  alignas(32) std::int16_t excess[16];
  _mm256_store_si256(reinterpret_cast<__m256i*>(excess), over);
  // Two bits for each.
  auto beyond = ~static_cast<unsigned>(
      _mm256_movemask_epi8(_mm256_cmpeq_epi16(over, _mm256_setzero_si256())));
  const auto signs = static_cast<unsigned>(_mm256_movemask_epi8(pairs));
  for (; beyond != 0; beyond &= beyond - 1, beyond &= beyond - 1) {
    const int first = std::countr_zero(beyond);
    ExcessList& list = (signs >> first & 2) == 0 ? to.above : to.below;
    list.list[list.count++] = {excess[first / 2],
                               static_cast<std::int32_t>(step * kStepBytes + first % 4),
                               v * 8 + first / 4};
  }
  return _mm256_sub_epi8(weights, _mm256_sign_epi8(over, weights));
}

// The n-th step of a group's packed blocks; v: which eight of the channels.
template <PackedFormat format>
[[gnu::always_inline]] inline __m256i step_weights(const std::byte* blocks, std::int64_t n, int v) {
  constexpr std::int64_t kSteps = kGroupSteps / Layout<format>::kBlocksPerGroup;  // in a block
  __m256i bytes = V::load_bytes(blocks + n / kSteps * kBlockBytes + v * 32);
  if constexpr (format == PackedFormat::int4) {
    bytes = V::low_halves(bytes, static_cast<int>(n % kSteps));
  }
  return _mm256_sub_epi8(bytes, _mm256_set1_epi8(static_cast<char>(Layout<format>::kOffset)));
}

template <PackedFormat format>
[[gnu::noinline]] void read_span(const std::byte* panel, std::int64_t group, std::int64_t groups,
                                 SpanWeights& to) {
  constexpr std::int64_t kGroupBytes = Layout<format>::kBlocksPerGroup * kBlockBytes;
  const __m256i most = _mm256_set1_epi16(kMostOfPair);
  to.above.count = to.below.count = 0;
  for (std::int64_t g = 0; g < groups; ++g) {
    const std::byte* blocks = panel + (group + g) * kGroupBytes;
    __m256i sums[2] = {};  // in 16 bits: a group's are below 2^12
    for (std::int64_t n = 0; n < kGroupSteps; ++n) {
      const std::int64_t step = g * kGroupSteps + n;
      for (int v = 0; v < 2; ++v) {
        __m256i weights = step_weights<format>(blocks, n, v);
        const __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), weights);
        sums[v] = _mm256_add_epi16(sums[v], pairs);
        if constexpr (format == PackedFormat::int8) {
          const __m256i over = _mm256_subs_epu16(_mm256_abs_epi16(pairs), most);
          if (_mm256_testz_si256(over, over) == 0) {
            weights = reduce(weights, pairs, over, step, v, to);
          }
        }
        _mm256_store_si256(&to.steps[step][v], weights);
      }
    }
    for (int v = 0; v < 2; ++v) {
      to.starts[g][v] = _mm256_madd_epi16(sums[v], _mm256_set1_epi16(-128));
    }
    to.above.end[g] = to.above.count;
    to.below.end[g] = to.below.count;
  }
}

// Eight vectors of eight as a matrix, transposed.
[[gnu::always_inline]] inline void transpose(__m256i (&x)[8]) {
  __m256i y[8];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    y[2 * i] = _mm256_unpacklo_epi32(x[2 * i], x[2 * i + 1]);
    y[2 * i + 1] = _mm256_unpackhi_epi32(x[2 * i], x[2 * i + 1]);
  }
  __m256i z[8];
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {
    z[i] = _mm256_unpacklo_epi64(y[i], y[i + 2]);
    z[i + 1] = _mm256_unpackhi_epi64(y[i], y[i + 2]);
    z[i + 2] = _mm256_unpacklo_epi64(y[i + 1], y[i + 3]);
    z[i + 3] = _mm256_unpackhi_epi64(y[i + 1], y[i + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    x[i] = _mm256_permute2x128_si256(z[i], z[i + 4], 0x20);
    x[i + 4] = _mm256_permute2x128_si256(z[i], z[i + 4], 0x31);
  }
}

// What the sums of a tile's rows start from.
struct TileStarts {
  alignas(32) std::int32_t rows[kManyRows][kPanelRows];
};

// Sums of products with excess: of a channel, eight rows to a lane.
using ExcessSums = __m256i[kPanelRows][kManyRows / 8];

template <bool kAbove>
[[gnu::always_inline]] inline void add_excess(std::span<const Excess> excess,
                                              const std::byte* inputs, ExcessSums& sums) {
  for (const Excess& e : excess) {
    const __m256i weight = pinned(_mm256_set1_epi32(e.weight));
#pragma GCC unroll 2
    for (int i = 0; i < kManyRows / 8; ++i) {
      const __m256i product =
          _mm256_maddubs_epi16(V::load_bytes(inputs + e.input + i * 32), weight);
      __m256i& sum = sums[e.channel][i];
      sum = kAbove ? _mm256_add_epi32(sum, product) : _mm256_sub_epi32(sum, product);
    }
  }
}

// `starts` and the products of excess with a tile's inputs, those of a span.
[[gnu::noinline]] void multiply_excess(std::span<const Excess> above, std::span<const Excess> below,
                                       const std::byte* inputs, const __m256i (&starts)[2],
                                       TileStarts& to) {
  ExcessSums sums;
#pragma GCC unroll 32
  for (__m256i& sum : std::span(&sums[0][0], sizeof sums / sizeof(__m256i))) {
    sum = _mm256_setzero_si256();
  }
  add_excess<true>(above, inputs, sums);
  add_excess<false>(below, inputs, sums);
  for (int i = 0; i < kManyRows / 8; ++i) {
    for (int v = 0; v < 2; ++v) {
      __m256i rows[8];
#pragma GCC unroll 8
      for (int r = 0; r < 8; ++r) rows[r] = sums[v * 8 + r][i];
      transpose(rows);
#pragma GCC unroll 8
      for (int r = 0; r < 8; ++r) {
        _mm256_store_si256(reinterpret_cast<__m256i*>(to.rows[i * 8 + r] + v * 8),
                           _mm256_add_epi32(rows[r], starts[v]));
      }
    }
  }
}

using Dots = __m256i[kRowsAtOnce][2];

// Some groups of a span.
struct Groups {
  const SpanWeights& weights;
  std::int64_t begin, end;
  __m256i starts[2] = {};

  Groups(const SpanWeights& of, std::int64_t first, std::int64_t last)
      : weights(of), begin(first), end(last) {
    for (std::int64_t g = begin; g < end; ++g) {
      for (int v = 0; v < 2; ++v) starts[v] = _mm256_add_epi32(starts[v], weights.starts[g][v]);
    }
  }

  std::span<const Excess> part(const ExcessList& excess) const {
    return {excess.list + (begin == 0 ? 0 : excess.end[begin - 1]),
            excess.list + excess.end[end - 1]};
  }

  // inputs: of a tile and this span.
  [[gnu::always_inline]] void start(const std::byte* inputs, TileStarts& to) const {
    const auto above = part(weights.above);
    const auto below = part(weights.below);
    if (!above.empty() || !below.empty()) {
      return multiply_excess(above, below, inputs, starts, to);
    }
    for (std::int64_t r = 0; r < kManyRows; ++r) {
      _mm256_store_si256(reinterpret_cast<__m256i*>(to.rows[r]), starts[0]);
      _mm256_store_si256(reinterpret_cast<__m256i*>(to.rows[r] + 8), starts[1]);
    }
  }

  // The sums of four rows of the tile, from `first` on.
  [[gnu::always_inline]] void multiply(const TileStarts& from, const std::byte* inputs,
                                       std::int64_t first, Dots& dots) const {
#pragma GCC unroll 4
    for (std::int64_t r = 0; r < kRowsAtOnce; ++r) {
      for (int v = 0; v < 2; ++v) {
        const auto* start = reinterpret_cast<const __m256i*>(from.rows[first + r] + v * 8);
        dots[r][v] = _mm256_load_si256(start);
      }
    }
    constexpr std::int64_t kUnrolled = 4;  // by hand: it divides the number of steps
    const __m256i ones = pinned(_mm256_set1_epi16(1));
    const __m256i(*step)[2] = weights.steps + begin * kGroupSteps;
    const __m256i(*const last)[2] = weights.steps + end * kGroupSteps;
    inputs += begin * kGroupSteps * kStepBytes + first * 4;
#pragma GCC unroll 1
    for (; step != last; step += kUnrolled, inputs += kUnrolled * kStepBytes) {
#pragma GCC unroll 4
      for (std::int64_t i = 0; i < kUnrolled; ++i) {
        const __m256i left = step[i][0];
        const __m256i right = step[i][1];
#pragma GCC unroll 4
        for (std::int64_t r = 0; r < kRowsAtOnce; ++r) {
          const __m256i x = V::broadcast(inputs + i * kStepBytes + r * 4);
          dots[r][0] = added_in_place(dots[r][0], V::four_products(x, left, ones));
          dots[r][1] = added_in_place(dots[r][1], V::four_products(x, right, ones));
        }
      }
    }
  }
};

// Adds the products of the upper bytes, of those groups that have any, to what a tile's sums start
// from; `upper`: like inputs.
[[gnu::noinline]] void add_upper(const SpanWeights& weights, unsigned wide, const std::byte* upper,
                                 TileStarts& to) {
  for (; wide != 0; wide &= wide - 1) {
    const std::int64_t g = std::countr_zero(wide);
    const Groups group(weights, g, g + 1);
    TileStarts starts;
    group.start(upper, starts);
    for (std::int64_t first = 0; first < kManyRows; first += kRowsAtOnce) {
      Dots dots;
      group.multiply(starts, upper, first, dots);
      for (std::int64_t r = 0; r < kRowsAtOnce; ++r) {
        for (int v = 0; v < 2; ++v) {
          auto* sum = reinterpret_cast<__m256i*>(to.rows[first + r] + v * 8);
          *sum = V::add_shifted(*sum, dots[r][v]);
        }
      }
    }
  }
}

// Some panels against some tiles, span by span: a span's inputs stay in the L2 cache for all
// panels, and its weights in the L1 cache for all tiles.
template <PackedFormat format>
class ManyRows {
 public:
  static constexpr std::int64_t kPanels = 8;

  ManyRows(const LinearTask& task, std::int64_t begin_tile, std::int64_t end_tile)
      : task_(task),
        x_(task.inputs),
        panel_bytes_(static_cast<std::int64_t>(task.shape.panel_bytes())),
        begin_(begin_tile),
        end_(end_tile) {}

  void run(std::int64_t begin, std::int64_t end) {
    for (std::int64_t group = 0; group < x_.groups; group += kSpanGroups) {
      for (std::int64_t panel = begin; panel < end; ++panel) {
        add_span(panel, group, sums_[panel - begin]);
      }
    }
    finish(begin, end);
  }

 private:
  using TileSums = float[kManyRows][kPanelRows];
  using Sums = TileSums[kManyTiles];

  const std::byte* weights_of(std::int64_t panel) const {
    return task_.weights + panel * panel_bytes_;
  }

  void add_span(std::int64_t panel, std::int64_t group, Sums& sums) {
    const std::int64_t groups = std::min(kSpanGroups, x_.groups - group);
    read_span<format>(weights_of(panel), group, groups, span_);
    // What is added up before it is scaled.
    const std::int64_t each = format == PackedFormat::int8 ? groups : 1;
    for (std::int64_t g = 0; g < groups; g += each) {
      add_groups(panel, group, {span_, g, g + each}, sums);
    }
  }

  // group: the first of the span.
  [[gnu::noinline]] void add_groups(std::int64_t panel, std::int64_t group, const Groups& groups,
                                    Sums& sums) {
    constexpr std::int64_t kGroupBytes = Layout<format>::kBlocksPerGroup * kBlockBytes;
    constexpr std::int64_t kLines = 4;
    const std::byte* weights = weights_of(panel);
    // What comes next, usually.
    const std::byte* next = weights_of(panel + 1) + (group + groups.begin) * kGroupBytes;
    const std::int64_t span = group / kSpanGroups;
    const QuantizedRows x = x_;
    const std::int64_t tile_bytes = x.groups * kGroupSteps * kStepBytes;
    for (std::int64_t tile = begin_; tile < end_; ++tile, next += kLines * kBlockBytes) {
      prefetch(next, kLines * kBlockBytes);
      const TilePlace place(x, tile);
      const std::int64_t at = place.values + group * kGroupSteps * kStepBytes;
      const std::byte* of_groups = x.values + at + groups.begin * kGroupSteps * kStepBytes;
      prefetch(of_groups + tile_bytes, (groups.end - groups.begin) * kGroupSteps * kStepBytes);
      const unsigned wide = x.wide_groups(tile, span) & ((1u << groups.end) - (1u << groups.begin));
      TileStarts starts;
      groups.start(x.values + at, starts);
      if (wide != 0) [[unlikely]] {
        add_upper(groups.weights, wide, x.upper + at, starts);
      }
      for (std::int64_t first = 0; first < place.rows; first += kRowsAtOnce) {
        Dots dots;
        groups.multiply(starts, x.values + at, first, dots);
        const float* scales = x.scales + place.scale(x, span) + first;
        scale(weights, group + groups.begin, scales, dots, sums[tile - begin_], first);
      }
    }
  }

  [[gnu::always_inline]] void scale(const std::byte* weights, std::int64_t group,
                                    const float* scales, const Dots& dots, TileSums& sums,
                                    std::int64_t first) {
    for (int v = 0; v < 2; ++v) {
#pragma GCC unroll 4
      for (std::int64_t r = 0; r < kRowsAtOnce; ++r) {
        __m256 factor = V::set1(scales[r]);
        if constexpr (format == PackedFormat::int4) {
          const std::byte* of_weights = group_scales(task_.shape, weights, group);
          factor = V::mul(factor, V::load_f16(of_weights + v * 16));
        }
        float* sum = sums[first + r] + v * 8;
        const __m256 before = group == 0 ? _mm256_setzero_ps() : V::load(sum);
        V::store(sum, V::fma(V::convert(dots[r][v]), factor, before));
      }
    }
  }

  void finish(std::int64_t begin, std::int64_t end) {
    const std::int64_t first = begin_ * kManyRows;
    const std::int64_t rows = std::min(end_ * kManyRows, x_.count) - first;
    const bool stream = streams_outputs(task_);
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t panel = begin; panel < end; ++panel) {
        const TileSums& sums = sums_[panel - begin][row / kManyRows];
        for (int v = 0; v < 2; ++v) {
          const std::int64_t channel = panel * kPanelRows + v * 8;
          __m256 y = V::load(sums[row % kManyRows] + v * 8);
          if constexpr (format == PackedFormat::int8) {
            y = V::mul(y, V::load(channel_scales(task_.shape, weights_of(panel)) + v * 8));
          }
          stream ? stream_outputs(y, first + row, channel)
                 : store_outputs<V>(task_, y, first + row, channel);
        }
      }
    }
  }

  [[gnu::always_inline]] void stream_outputs(__m256 y, std::int64_t row, std::int64_t channel) {
    if (task_.bias != nullptr) y = V::add(y, V::load(task_.bias + channel));
    _mm256_stream_ps(task_.output.values + task_.output.index(row, channel), y);
  }

  const LinearTask& task_;
  const QuantizedRows& x_;
  std::int64_t panel_bytes_;
  std::int64_t begin_, end_;
  SpanWeights span_;
  alignas(64) Sums sums_[kPanels];  // until all spans are added
};

template <PackedFormat format>
void multiply_format_many(const LinearTask& task) {
  for (std::int64_t begin = task.begin_tile; begin < task.end_tile; begin += kManyTiles) {
    ManyRows<format> product(task, begin, std::min(begin + kManyTiles, task.end_tile));
    constexpr std::int64_t kPanels = ManyRows<format>::kPanels;
    for (std::int64_t panel = task.begin_panel; panel < task.end_panel; panel += kPanels) {
      product.run(panel, std::min(panel + kPanels, task.end_panel));
    }
  }
}

void multiply_many(const LinearTask& task) {
  task.shape.format == PackedFormat::int8 ? multiply_format_many<PackedFormat::int8>(task)
                                          : multiply_format_many<PackedFormat::int4>(task);
  _mm_sfence();  // other threads see what went past the caches
}

}  // namespace

const LinearKernels kAvx2ManyLinear = {RowLayout::unsigned_bytes, kManyRows, kManyTiles,
                                       quantize<FloatsAvx2, RowLayout::unsigned_bytes, kManyRows>,
                                       multiply_many};

}  // namespace tru::tensor

#pragma GCC pop_options

#endif
