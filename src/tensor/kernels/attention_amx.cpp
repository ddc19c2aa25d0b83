// Words of two bf16 numbers in tiles: 16 words of 16 rows by 16 words of 16 lanes at once.
#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "tensor/kernels/attention.h"

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")
#pragma GCC target("amx-tile,amx-bf16")

#include "tensor/kernels/amx_tiles.h"
#include "tensor/kernels/attention_row.h"
#include "tensor/kernels/attention_tile.h"
#include "tensor/kernels/floats_avx512.h"

namespace tru::tensor {
namespace {

// Registers 0 to 3 hold sums, 4 and 5 panels, 6 and 7 rows.
struct AmxBlocks {
  static constexpr std::int64_t kRows = 32;

  static void multiply(const std::uint32_t* panels, std::int64_t panel_words,
                       const std::uint32_t* rows, std::int64_t row_words, std::int64_t words,
                       std::int64_t count, float* out, std::int64_t out_step) {
    memory_may_be_read_by_tiles();
    count > kAmxSide
        ? multiply_rows<true>(panels, panel_words, rows, row_words, words, out, out_step)
        : multiply_rows<false>(panels, panel_words, rows, row_words, words, out, out_step);
  }

  template <bool kAll>
  static void multiply_rows(const std::uint32_t* panels, std::int64_t panel_words,
                            const std::uint32_t* rows, std::int64_t row_words, std::int64_t words,
                            float* out, std::int64_t out_step) {
    const std::uint32_t* second_panel = panels + panel_words * kPanelLanes;
    const std::uint32_t* second_rows = rows + kAmxSide * row_words;
    _tile_zero(0);
    _tile_zero(1);
    if constexpr (kAll) {
      _tile_zero(2);
      _tile_zero(3);
    }
    for (std::int64_t w = 0; w < words; w += kAmxSide) {
      _tile_loadd(6, rows + w, row_words * 4);
      _tile_loadd(4, panels + w * kPanelLanes, kAmxRowBytes);
      _tile_loadd(5, second_panel + w * kPanelLanes, kAmxRowBytes);
      if constexpr (kAll) _tile_loadd(7, second_rows + w, row_words * 4);
      _tile_dpbf16ps(0, 6, 4);
      _tile_dpbf16ps(1, 6, 5);
      if constexpr (kAll) {
        _tile_dpbf16ps(2, 7, 4);
        _tile_dpbf16ps(3, 7, 5);
      }
    }
    _tile_stored(0, out, out_step * 4);
    _tile_stored(1, out + kAmxSide, out_step * 4);
    if constexpr (kAll) {
      _tile_stored(2, out + kAmxSide * out_step, out_step * 4);
      _tile_stored(3, out + kAmxSide * out_step + kAmxSide, out_step * 4);
    }
  }

  // Rows of 64 numbers stay in registers 4 to 7 while the keys go by.
  static void scores(const std::uint32_t* panels, const std::uint32_t* rows, std::int64_t words,
                     std::int64_t keys, std::int64_t count, float* out, std::int64_t step) {
    if (words != 2 * kAmxSide || count <= kAmxSide) {
      return multiply_keys<AmxBlocks>(panels, rows, words, keys, count, out, step);
    }
    memory_may_be_read_by_tiles();
    const std::uint32_t* second_rows = rows + kAmxSide * words;
    _tile_loadd(4, rows, words * 4);
    _tile_loadd(5, rows + kAmxSide, words * 4);
    _tile_loadd(6, second_rows, words * 4);
    _tile_loadd(7, second_rows + kAmxSide, words * 4);
    for (std::int64_t key = 0; key < keys; key += kPanelLanes, panels += words * kPanelLanes) {
      _tile_loadd(2, panels, kAmxRowBytes);
      _tile_loadd(3, panels + kAmxSide * kPanelLanes, kAmxRowBytes);
      _tile_zero(0);
      _tile_zero(1);
      _tile_dpbf16ps(0, 4, 2);
      _tile_dpbf16ps(1, 6, 2);
      _tile_dpbf16ps(0, 5, 3);
      _tile_dpbf16ps(1, 7, 3);
      _tile_stored(0, out + key, step * 4);
      _tile_stored(1, out + kAmxSide * step + key, step * 4);
    }
  }
};

struct Amx : HalfWords<FloatsAvx512> {
  using Blocks = AmxBlocks;
  static constexpr bool kIntegers = false;

  static void store_words(std::uint32_t* p, __m512 a, __m512 b) {
    _mm512_storeu_si512(p, (__m512i)_mm512_cvtne2ps_pbh(b, a));
  }
  static void store_pairs(std::uint32_t* p, __m512 a, __m512 b) {
    const auto numbers = (__m512i)_mm512_cvtne2ps_pbh(b, a);
    const __m512i first = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(numbers));
    const __m512i second = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(numbers, 1));
    _mm512_storeu_si512(p, _mm512_or_si512(first, _mm512_slli_epi32(second, 16)));
  }
};

void attend_with_tiles(const AttentionTask& task) {
  const AmxTiles tiles;
  attend<Amx>(task);
}

}  // namespace

const AttentionKernels kAmxAttention = {Amx::kValues, AmxBlocks::kRows, pack<Amx>,
                                        attend_with_tiles, attend_row<FloatsAvx512>};

}  // namespace tru::tensor

#pragma GCC pop_options

#endif
