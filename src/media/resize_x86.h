// The vector form of both passes, for an instruction set described by Isa. Only for the files that
// define one; they switch on its instructions for everything below.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "media/resize_kernels.h"

namespace tru::media {

// Two weights, one after the other, as one 32-bit value.
inline std::int32_t weight_pair(const std::int16_t* weights) {
  std::int32_t pair;
  std::memcpy(&pair, weights, sizeof pair);
  return pair;
}

// Rows as the vector code reads them, 16 bytes at a time: rows too near the end of the picture are
// copied to where reading on is harmless.
template <int kLanes>
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

}  // namespace tru::media
