// The two passes of resize.cpp, plain and for AVX2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tru::media {

// The filter of one axis. Output o is the sum over its taps t of
// weights[o * num_taps + t] * input[first[o] + t], rounded and shifted right by precision.
struct ResizeTaps {
  int num_taps = 0;  // a multiple of 4; the rest of the weights are 0
  int precision = 0;
  std::vector<int> first;  // first + num_taps may exceed the input; weights there are 0
  std::vector<std::int16_t> weights;
};

// to[x] for all outputs of one axis; rows of width_from and taps.first.size() RGB pixels.
struct HorizontalPass {
  const std::uint8_t* from;
  std::uint8_t* to;
  int rows;
  int width_from;
  const ResizeTaps* taps;
};

// Rows are mixed: row_bytes is the length of a row, the same in both.
struct VerticalPass {
  const std::uint8_t* from;
  std::uint8_t* to;
  int rows_from;
  std::size_t row_bytes;
  const ResizeTaps* taps;
};

void resize_rows_plain(const HorizontalPass& pass);
void resize_columns_plain(const VerticalPass& pass);

#if defined(__x86_64__)
void resize_rows_avx2(const HorizontalPass& pass);
void resize_columns_avx2(const VerticalPass& pass);
#endif

}  // namespace tru::media
