#if defined(__x86_64__)

#include "media/resize_x86.h"

#pragma GCC push_options
#pragma GCC target("avx2")

#include "media/resize_x86_passes.h"

namespace tru::media {
namespace {

struct Avx2 {
  using Register = __m256i;
  static constexpr int kLanes = 2;
  static constexpr std::size_t kBytes = sizeof(Register);

  static Register set(std::int32_t value) { return _mm256_set1_epi32(value); }
  static Register in_all_lanes(__m128i lane) { return _mm256_broadcastsi128_si256(lane); }
  static Register load(const std::uint8_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const Register*>(from));
  }
  static Register load_lanes(const std::array<const std::uint8_t*, 2>& rows, std::size_t offset) {
    return _mm256_inserti128_si256(_mm256_castsi128_si256(load_lane(rows[0] + offset)),
                                   load_lane(rows[1] + offset), 1);
  }
  static __m128i load_lane(const std::uint8_t* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  }
  static void store(std::uint8_t* to, Register value) {
    _mm256_storeu_si256(reinterpret_cast<Register*>(to), value);
  }

  static Register shuffle(Register bytes, Register order) {
    return _mm256_shuffle_epi8(bytes, order);
  }
  static Register interleave_low(Register a, Register b) { return _mm256_unpacklo_epi8(a, b); }
  static Register interleave_high(Register a, Register b) { return _mm256_unpackhi_epi8(a, b); }
  static Register add(Register a, Register b) { return _mm256_add_epi32(a, b); }
  static Register multiply_add(Register a, Register b) { return _mm256_madd_epi16(a, b); }
  static Register shift(Register a, int count) {
    return _mm256_sra_epi32(a, _mm_cvtsi32_si128(count));
  }

  // The inverse of the interleaving, clamped to 0..255.
  static Register to_bytes(const Register (&sums)[4]) {
    return _mm256_packus_epi16(_mm256_packs_epi32(sums[0], sums[1]),
                               _mm256_packs_epi32(sums[2], sums[3]));
  }
  // One clamped pixel per lane, in the low three bytes.
  static std::array<std::uint32_t, 2> to_pixels(Register sum) {
    const Register sums[4] = {sum, sum, sum, sum};
    const Register bytes = to_bytes(sums);
    return {static_cast<std::uint32_t>(_mm256_extract_epi32(bytes, 0)),
            static_cast<std::uint32_t>(_mm256_extract_epi32(bytes, 4))};
  }
};

}  // namespace

void resize_rows_avx2(const HorizontalPass& pass) {
  resize_rows<Avx2>(pass);
}
void resize_columns_avx2(const VerticalPass& pass) {
  resize_columns<Avx2>(pass);
}

}  // namespace tru::media

#pragma GCC pop_options

#endif
