#if defined(__x86_64__)

// GCC 12 warns of its own avx512fintrin.h (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

#include "media/resize_x86.h"

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")

#include "media/resize_x86_passes.h"

namespace tru::media {
namespace {

struct Avx512 {
  using Register = __m512i;
  static constexpr int kLanes = 4;
  static constexpr std::size_t kBytes = sizeof(Register);

  static Register set(std::int32_t value) { return _mm512_set1_epi32(value); }
  static Register in_all_lanes(__m128i lane) { return _mm512_broadcast_i32x4(lane); }
  static Register load(const std::uint8_t* from) { return _mm512_loadu_si512(from); }
  static Register load_lanes(const std::array<const std::uint8_t*, 4>& rows, std::size_t offset) {
    Register lanes = _mm512_castsi128_si512(load_lane(rows[0] + offset));
    lanes = _mm512_inserti32x4(lanes, load_lane(rows[1] + offset), 1);
    lanes = _mm512_inserti32x4(lanes, load_lane(rows[2] + offset), 2);
    return _mm512_inserti32x4(lanes, load_lane(rows[3] + offset), 3);
  }
  static __m128i load_lane(const std::uint8_t* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  }
  static void store(std::uint8_t* to, Register value) { _mm512_storeu_si512(to, value); }

  static Register shuffle(Register bytes, Register order) {
    return _mm512_shuffle_epi8(bytes, order);
  }
  static Register interleave_low(Register a, Register b) { return _mm512_unpacklo_epi8(a, b); }
  static Register interleave_high(Register a, Register b) { return _mm512_unpackhi_epi8(a, b); }
  static Register add(Register a, Register b) { return _mm512_add_epi32(a, b); }
  static Register multiply_add(Register a, Register b) { return _mm512_madd_epi16(a, b); }
  static Register shift(Register a, int count) {
    return _mm512_sra_epi32(a, _mm_cvtsi32_si128(count));
  }

  // The inverse of the interleaving, clamped to 0..255.
  static Register to_bytes(const Register (&sums)[4]) {
    return _mm512_packus_epi16(_mm512_packs_epi32(sums[0], sums[1]),
                               _mm512_packs_epi32(sums[2], sums[3]));
  }
  // One clamped pixel per lane, in the low three bytes.
  static std::array<std::uint32_t, 4> to_pixels(Register sum) {
    std::array<std::uint32_t, 4> pixels;
    _mm_storeu_si128(reinterpret_cast<__m128i*>(pixels.data()),
                     _mm512_cvtusepi32_epi8(_mm512_max_epi32(sum, set(0))));
    return pixels;
  }
};

}  // namespace

void resize_rows_avx512(const HorizontalPass& pass) {
  resize_rows<Avx512>(pass);
}
void resize_columns_avx512(const VerticalPass& pass) {
  resize_columns<Avx512>(pass);
}

}  // namespace tru::media

#pragma GCC pop_options

#endif
