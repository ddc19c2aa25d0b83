// Both passes for AVX2. (An AVX-512 form of them was 15 to 30 % slower on Zen 4 than this one.)
#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "media/resize_kernels.h"

namespace tru::media {
namespace {

constexpr int kLanes = 2;  // rows at a time in the pass along rows: one in each 128-bit lane
constexpr std::size_t kBytes = sizeof(__m256i);

// Rows as the pass along rows reads them, 16 bytes at a time: rows too near the end of the picture
// are copied to where reading on is harmless.
class ReadableRows {
 public:
  explicit ReadableRows(const HorizontalPass& pass)
      : from_(pass.from), rows_(pass.rows), row_bytes_(std::size_t{3} * pass.width_from) {
    const ResizeTaps& taps = *pass.taps;
    const int last = *std::max_element(taps.first.begin(), taps.first.end()) + taps.num_taps;
    constexpr int kUnusedBytes = 4;  // of 16, beside four pixels
    readable_bytes_ = std::size_t{3} * last + kUnusedBytes;
    for (auto& copy : copies_) copy.resize(std::max(readable_bytes_, row_bytes_));
  }

  const std::uint8_t* row(int y, int lane) {
    const std::uint8_t* row = from_ + row_bytes_ * y;
    if (readable_bytes_ <= row_bytes_ * (rows_ - y)) return row;
    std::memcpy(copies_[lane].data(), row, row_bytes_);
    return copies_[lane].data();
  }

 private:
  const std::uint8_t* from_;
  int rows_;
  std::size_t row_bytes_;
  std::size_t readable_bytes_;
  std::array<std::vector<std::uint8_t>, kLanes> copies_;
};

}  // namespace

#pragma GCC push_options
#pragma GCC target("avx2")

namespace {

// Two weights, one after the other, in every 32 bits.
__m256i weight_pair(const std::int16_t* weights) {
  std::int32_t pair;
  std::memcpy(&pair, weights, sizeof pair);
  return _mm256_set1_epi32(pair);
}

__m256i load(const std::uint8_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

__m256i load_lanes(const std::uint8_t* low, const std::uint8_t* high) {
  return _mm256_set_m128i(_mm_loadu_si128(reinterpret_cast<const __m128i*>(high)),
                          _mm_loadu_si128(reinterpret_cast<const __m128i*>(low)));
}

// sum + the products of 16-bit pairs, added within each pair.
__m256i multiply_add(__m256i sum, __m256i values, __m256i weights) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(values, weights));
}

// Four registers of sums, shifted right and clamped to bytes.
__m256i to_bytes(__m256i a, __m256i b, __m256i c, __m256i d, int precision) {
  const __m128i shift = _mm_cvtsi32_si128(precision);
  return _mm256_packus_epi16(
      _mm256_packs_epi32(_mm256_sra_epi32(a, shift), _mm256_sra_epi32(b, shift)),
      _mm256_packs_epi32(_mm256_sra_epi32(c, shift), _mm256_sra_epi32(d, shift)));
}

// The bytes [x, x + kBytes) of one output row.
void mix_rows(const VerticalPass& pass, const std::int16_t* weights, int first, std::size_t x,
              std::uint8_t* to) {
  const ResizeTaps& taps = *pass.taps;
  const __m256i zero = _mm256_setzero_si256();
  __m256i a, b, c, d;  // 8 sums each: in both lanes, of bytes 0 to 3, 4 to 7, 8 to 11, 12 to 15
  a = b = c = d = _mm256_set1_epi32(1 << (taps.precision - 1));
  const int count = std::min(taps.num_taps, pass.rows_from - first);
  for (int t = 0; t < count; t += 2) {
    const __m256i weight = weight_pair(weights + t);
    const std::uint8_t* row = pass.from + pass.row_bytes * (first + t) + x;
    const __m256i upper = load(row);
    // Where an odd count ends there is no lower row; its weight is 0.
    const __m256i lower = load(t + 1 < count ? row + pass.row_bytes : row);
    const __m256i low = _mm256_unpacklo_epi8(upper, lower);
    const __m256i high = _mm256_unpackhi_epi8(upper, lower);
    a = multiply_add(a, _mm256_unpacklo_epi8(low, zero), weight);
    b = multiply_add(b, _mm256_unpackhi_epi8(low, zero), weight);
    c = multiply_add(c, _mm256_unpacklo_epi8(high, zero), weight);
    d = multiply_add(d, _mm256_unpackhi_epi8(high, zero), weight);
  }
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + x), to_bytes(a, b, c, d, taps.precision));
}

}  // namespace

void resize_rows_avx2(const HorizontalPass& pass) {
  const ResizeTaps& taps = *pass.taps;
  const int width_to = static_cast<int>(taps.first.size());
  // Of four pixels, the first two and the last two, as 16-bit pairs of red, of green and of blue.
  const __m256i front = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
  const __m256i back = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1));
  const __m256i half = _mm256_set1_epi32(1 << (taps.precision - 1));
  ReadableRows rows(pass);

  for (int y = 0; y < pass.rows; y += kLanes) {
    const int second = std::min(y + 1, pass.rows - 1);  // the last row may stand in both lanes
    const std::uint8_t* from_low = rows.row(y, 0);
    const std::uint8_t* from_high = rows.row(second, 1);
    std::uint8_t* to_low = pass.to + std::size_t{3} * y * width_to;
    std::uint8_t* to_high = pass.to + std::size_t{3} * second * width_to;
    const std::int16_t* weights = taps.weights.data();
    for (int o = 0; o < width_to; ++o, to_low += 3, to_high += 3) {
      __m256i sum = half;
      std::size_t offset = std::size_t{3} * taps.first[o];
      for (int t = 0; t < taps.num_taps; t += 4, weights += 4, offset += 12) {
        const __m256i pixels = load_lanes(from_low + offset, from_high + offset);
        sum = multiply_add(sum, _mm256_shuffle_epi8(pixels, front), weight_pair(weights));
        sum = multiply_add(sum, _mm256_shuffle_epi8(pixels, back), weight_pair(weights + 2));
      }
      const __m256i bytes = to_bytes(sum, sum, sum, sum, taps.precision);
      const std::int32_t low = _mm256_extract_epi32(bytes, 0);
      const std::int32_t high = _mm256_extract_epi32(bytes, 4);
      std::memcpy(to_low, &low, 3);
      std::memcpy(to_high, &high, 3);
    }
  }
}

void resize_columns_avx2(const VerticalPass& pass) {
  if (pass.row_bytes < kBytes) return resize_columns_plain(pass);
  const ResizeTaps& taps = *pass.taps;
  for (std::size_t o = 0; o < taps.first.size(); ++o) {
    const std::int16_t* weights = &taps.weights[o * taps.num_taps];
    std::uint8_t* to = pass.to + pass.row_bytes * o;
    std::size_t x = 0;
    for (; x + kBytes <= pass.row_bytes; x += kBytes) mix_rows(pass, weights, taps.first[o], x, to);
    if (x < pass.row_bytes)  // the last block overlaps the one before
      mix_rows(pass, weights, taps.first[o], pass.row_bytes - kBytes, to);
  }
}

#pragma GCC pop_options

}  // namespace tru::media

#endif
