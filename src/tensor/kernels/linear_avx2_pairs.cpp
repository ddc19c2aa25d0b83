// Many rows by AVX2, with half as many multiplications as weights have.
//
// For neighbours, w0 x0 + w1 x1 = (w1 + x0) (w0 + x1) - w0 w1 - x0 x1, whose last products depend
// on weights or inputs alone and are summed up once for many. That trades a multiplication for an
// addition of 16 bits: AMD's cores do four of these in a cycle and two multiplications, Intel's no
// worse than one for the other.
// Source: S. Winograd, A New Algorithm for Inner Product, IEEE Transactions on Computers C-17,
// 1968.
#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstring>

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

constexpr std::int64_t kPairTileRows = 4;
constexpr std::int64_t kPairTiles = 48;
constexpr std::int64_t kStepColumns = 4;
constexpr std::int64_t kGroupSteps = kGroupColumns / kStepColumns;

// Weights of four channels of inputs, those of 16 channels of outputs: 0 and 2, 1 and 3.
struct StepWeights {
  __m256i even[2], odd[2];
};

// Weights of a panel's span as 16-bit numbers.
struct SpanWeights {
  StepWeights steps[kSpanGroups * kGroupSteps];
  // What sums start from: minus the products of the weights of an even channel and the next. Of a
  // span; int4: of each group.
  __m256i starts[kSpanGroups][2];
};

// The n-th step of a group's packed blocks; v: which eight of the channels. Returns the products of
// even weights and the next.
template <PackedFormat format>
[[gnu::always_inline]] inline __m256i widen_step(const std::byte* blocks, std::int64_t n, int v,
                                                 StepWeights& to) {
  const __m256i offset = _mm256_set1_epi16(Layout<format>::kOffset);
  constexpr int kMask = format == PackedFormat::int8 ? 0xFF : 0x0F;
  constexpr std::int64_t kSteps = kGroupSteps / Layout<format>::kBlocksPerGroup;  // in a block
  __m256i bytes = V::load_bytes(blocks + n / kSteps * kBlockBytes + v * 32);
  if (n % kSteps != 0) bytes = _mm256_srli_epi16(bytes, 4);
  const __m256i mask = _mm256_set1_epi16(kMask);
  const __m256i even = _mm256_sub_epi16(_mm256_and_si256(bytes, mask), offset);
  const __m256i upper = _mm256_and_si256(_mm256_srli_epi16(bytes, 8), mask);
  const __m256i odd = _mm256_sub_epi16(upper, offset);
  _mm256_store_si256(to.even + v, even);
  _mm256_store_si256(to.odd + v, odd);
  return _mm256_madd_epi16(even, odd);
}

template <PackedFormat format>
[[gnu::noinline]] void widen(const std::byte* panel, std::int64_t group, std::int64_t groups,
                             SpanWeights& to) {
  constexpr std::int64_t kGroupBytes = Layout<format>::kBlocksPerGroup * kBlockBytes;
  __m256i starts[2] = {};
  for (std::int64_t g = 0; g < groups; ++g) {
    if (format == PackedFormat::int4) std::fill_n(starts, 2, _mm256_setzero_si256());
    const std::byte* blocks = panel + (group + g) * kGroupBytes;
    StepWeights* steps = to.steps + g * kGroupSteps;
#pragma GCC unroll 2
    for (std::int64_t n = 0; n < kGroupSteps; ++n) {
      for (int v = 0; v < 2; ++v) {
        const __m256i products = widen_step<format>(blocks, n, v, steps[n]);
        starts[v] = _mm256_sub_epi32(starts[v], products);
      }
    }
    std::copy_n(starts, 2, to.starts[format == PackedFormat::int8 ? 0 : g]);
  }
}

// Of a tile's inputs.
template <int kRows>
constexpr std::int64_t kStepBytes = kRows* kStepColumns * 2;

// Adds the products of some steps' weights with inputs of 16 bits.
template <int kRows>
[[gnu::noinline]] void add_direct(const StepWeights* weights, const std::byte* inputs,
                                  std::int64_t steps, __m256i (&dots)[kRows][2]) {
  for (std::int64_t n = 0; n < steps; ++n, inputs += kStepBytes<kRows>) {
    for (int r = 0; r < kRows; ++r) {
      const __m256i even = V::broadcast(inputs + r * 4);
      const __m256i odd = V::broadcast(inputs + (kRows + r) * 4);
      for (int v = 0; v < 2; ++v) {
        const __m256i dot = _mm256_add_epi32(_mm256_madd_epi16(weights[n].even[v], even),
                                             _mm256_madd_epi16(weights[n].odd[v], odd));
        dots[r][v] = _mm256_add_epi32(dots[r][v], dot);
      }
    }
  }
}

// The same of inputs of 8 bits, and with the products of pairs of weights and of inputs.
template <int kRows>
[[gnu::always_inline]] inline void add_pairs(const StepWeights* weights, const std::byte* inputs,
                                             std::int64_t steps, __m256i (&dots)[kRows][2]) {
  constexpr std::int64_t kUnrolled = 4;  // by hand: it divides the number of steps
#pragma GCC unroll 1
  for (std::int64_t n = 0; n < steps; n += kUnrolled, inputs += kUnrolled * kStepBytes<kRows>) {
#pragma GCC unroll 4
    for (std::int64_t i = 0; i < kUnrolled; ++i) {
      const StepWeights step = weights[n + i];
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) {
        const __m256i even = V::broadcast(inputs + i * kStepBytes<kRows> + r * 4);
        const __m256i odd = V::broadcast(inputs + i * kStepBytes<kRows> + (kRows + r) * 4);
#pragma GCC unroll 2
        for (int v = 0; v < 2; ++v) {
          const __m256i first = _mm256_add_epi16(step.odd[v], even);
          const __m256i second = _mm256_add_epi16(step.even[v], odd);
          dots[r][v] = added_in_place(dots[r][v], _mm256_madd_epi16(first, second));
        }
      }
    }
  }
}

// Some panels against some tiles, span by span: a span's inputs stay in the L2 cache for all
// panels, and its weights in the L1 cache for all tiles.
template <PackedFormat format>
class PairProduct {
 public:
  static constexpr std::int64_t kPanels = 8;

  PairProduct(const LinearTask& task, std::int64_t begin_tile, std::int64_t end_tile)
      : task_(task), x_(task.inputs), begin_(begin_tile), end_(end_tile) {}

  void run(std::int64_t begin, std::int64_t end) {
    for (std::int64_t group = 0; group < x_.groups; group += kSpanGroups) {
      for (std::int64_t panel = begin; panel < end; ++panel) {
        add_span(panel, group, sums_[panel - begin]);
      }
    }
    for (std::int64_t panel = begin; panel < end; ++panel) {
      finish(panel, sums_[panel - begin]);
    }
  }

 private:
  using Sums = float[kPairTiles][kPairTileRows][kPanelRows];

  const std::byte* weights_of(std::int64_t panel) const {
    return task_.weights + panel * static_cast<std::int64_t>(task_.shape.panel_bytes());
  }

  void add_span(std::int64_t panel, std::int64_t group, Sums& sums) {
    constexpr std::int64_t kGroupBytes = Layout<format>::kBlocksPerGroup * kBlockBytes;
    const std::int64_t groups = std::min(kSpanGroups, x_.groups - group);
    const std::byte* weights = weights_of(panel);
    widen<format>(weights, group, groups, span_);
    // What comes next, usually.
    const std::byte* next = weights_of(panel + 1) + group * kGroupBytes;
    const std::int64_t whole = x_.count / kPairTileRows;  // tiles; the last may have fewer rows
    add_tiles<4>(weights, next, group, groups, begin_, std::min(end_, whole), sums);
    if (end_ <= whole) return;
    switch (x_.count % kPairTileRows) {
      case 3:
        return add_tiles<3>(weights, next, group, groups, whole, end_, sums);
      case 2:
        return add_tiles<2>(weights, next, group, groups, whole, end_, sums);
      default:
        return add_tiles<1>(weights, next, group, groups, whole, end_, sums);
    }
  }

  template <int kRows>
  [[gnu::noinline]] void add_tiles(const std::byte* weights, const std::byte* next,
                                   std::int64_t group, std::int64_t groups, std::int64_t begin,
                                   std::int64_t end, Sums& sums) {
    // What is added up before it is scaled.
    const std::int64_t each = format == PackedFormat::int8 ? groups : 1;
    const QuantizedRows x = x_;
    const std::int64_t span = group / kSpanGroups;
    for (std::int64_t g = 0; g < groups; g += each) {
      for (std::int64_t tile = begin; tile < end; ++tile, next += 2 * kBlockBytes) {
        __builtin_prefetch(next);
        __builtin_prefetch(next + kBlockBytes);
        const TilePlace place(x, tile);
        const std::byte* inputs = x.values + place.values + (group + g) * kRows * kGroupColumns * 2;
        const float* scales = x.scales + place.scale(x, span);
        const StepWeights* steps = span_.steps + g * kGroupSteps;
        if (x.wide_groups(tile, span) != 0) [[unlikely]] {
          __m256i dots[kRows][2] = {};
          add_direct<kRows>(steps, inputs, each * kGroupSteps, dots);
          scale(weights, group + g, scales, dots, sums[tile - begin_]);
          continue;
        }
        const std::int32_t* products = format == PackedFormat::int8
                                           ? x.span_sums + place.scale(x, span)
                                           : x.sums + place.sum(x, group + g);
        __m256i dots[kRows][2];
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r) {
          const __m256i of_inputs = _mm256_set1_epi32(products[r]);
          for (int v = 0; v < 2; ++v) {
            dots[r][v] = _mm256_sub_epi32(span_.starts[g][v], of_inputs);
          }
        }
        add_pairs<kRows>(steps, inputs, each * kGroupSteps, dots);
        scale(weights, group + g, scales, dots, sums[tile - begin_]);
      }
    }
  }

  template <int kRows>
  [[gnu::always_inline]] void scale(const std::byte* weights, std::int64_t group,
                                    const float* scales, const __m256i (&dots)[kRows][2],
                                    float (&sums)[kPairTileRows][kPanelRows]) {
    for (int v = 0; v < 2; ++v) {
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) {
        __m256 factor = V::set1(scales[r]);
        if constexpr (format == PackedFormat::int4) {
          const std::byte* of_weights = group_scales(task_.shape, weights, group);
          factor = V::mul(factor, V::load_f16(of_weights + v * 16));
        }
        float* sum = sums[r] + v * 8;
        const __m256 before = group == 0 ? _mm256_setzero_ps() : V::load(sum);
        V::store(sum, V::fma(V::convert(dots[r][v]), factor, before));
      }
    }
  }

  void finish(std::int64_t panel, const Sums& sums) {
    const std::byte* weights = weights_of(panel);
    const std::int64_t first = begin_ * kPairTileRows;
    const std::int64_t rows = std::min(end_ * kPairTileRows, x_.count) - first;
    for (std::int64_t row = 0; row < rows; ++row) {
      for (int v = 0; v < 2; ++v) {
        __m256 y = V::load(sums[row / kPairTileRows][row % kPairTileRows] + v * 8);
        if constexpr (format == PackedFormat::int8) {
          y = V::mul(y, V::load(channel_scales(task_.shape, weights) + v * 8));
        }
        store_outputs<V>(task_, y, first + row, panel * kPanelRows + v * 8);
      }
    }
  }

  const LinearTask& task_;
  const QuantizedRows& x_;
  std::int64_t begin_, end_;
  SpanWeights span_;
  alignas(64) Sums sums_[kPanels];  // until all spans are added
};

template <PackedFormat format>
void multiply_pairs_of(const LinearTask& task) {
  for (std::int64_t begin = task.begin_tile; begin < task.end_tile; begin += kPairTiles) {
    PairProduct<format> product(task, begin, std::min(begin + kPairTiles, task.end_tile));
    constexpr std::int64_t kPanels = PairProduct<format>::kPanels;
    for (std::int64_t panel = task.begin_panel; panel < task.end_panel; panel += kPanels) {
      product.run(panel, std::min(panel + kPanels, task.end_panel));
    }
  }
}

void multiply_pairs(const LinearTask& task) {
  task.shape.format == PackedFormat::int8 ? multiply_pairs_of<PackedFormat::int8>(task)
                                          : multiply_pairs_of<PackedFormat::int4>(task);
}

}  // namespace

const LinearKernels kAvx2PairsLinear = {RowLayout::pairs, kPairTileRows, kPairTiles,
                                        quantize<FloatsAvx2, RowLayout::pairs, kPairTileRows>,
                                        multiply_pairs};

}  // namespace tru::tensor

#pragma GCC pop_options

#endif
