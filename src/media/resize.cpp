#include "media/resize.h"

#include <algorithm>
#include <cmath>

#include "base/assert.h"
#include "media/resize_kernels.h"
#include "media/rgb_frame.h"

namespace tru::media {
namespace {

constexpr double kSupport = 2;  // of the cubic, in pixels of the smaller picture

// Keys' cubic convolution with a = -0.5.
double cubic(double x) {
  constexpr double a = -0.5;
  x = std::fabs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

// Fixed point with as many bits as fit the largest weight into 16 bits.
int precision_for(double largest_weight) {
  constexpr int kMostBits = 22;
  int precision = 0;
  while (precision < kMostBits &&
         static_cast<int>(0.5 + largest_weight * (1 << (precision + 1))) < (1 << 15))
    ++precision;
  return precision;
}

ResizeTaps make_taps(int from, int to) {
  const double scale = double(from) / to;
  const double stretch = std::max(scale, 1.0);
  const double support = kSupport * stretch;
  const auto low_tap = [&](int o) {
    return std::max(static_cast<int>((o + 0.5) * scale - support + 0.5), 0);
  };
  const auto high_tap = [&](int o) {
    return std::min(static_cast<int>((o + 0.5) * scale + support + 0.5), from);
  };
  ResizeTaps taps;
  for (int o = 0; o < to; ++o) taps.num_taps = std::max(taps.num_taps, high_tap(o) - low_tap(o));
  taps.num_taps = (taps.num_taps + 3) / 4 * 4;
  std::vector<double> weights(std::size_t(to) * taps.num_taps, 0.0);
  for (int o = 0; o < to; ++o) {
    const double centre = (o + 0.5) * scale;
    const int low = low_tap(o);
    const int high = high_tap(o);
    double* row = &weights[std::size_t(o) * taps.num_taps];
    double sum = 0;
    for (int k = low; k < high; ++k)
      sum += row[k - low] = cubic((k - centre + 0.5) * (1.0 / stretch));
    for (int k = 0; sum != 0 && k < high - low; ++k) row[k] /= sum;
    taps.first.push_back(low);
  }
  taps.precision = precision_for(*std::max_element(weights.begin(), weights.end()));
  for (const double weight : weights)
    taps.weights.push_back(static_cast<std::int16_t>(std::lround(weight * (1 << taps.precision))));
  return taps;
}

using RowsKernel = void (*)(const HorizontalPass&);
using ColumnsKernel = void (*)(const VerticalPass&);

struct Kernels {
  RowsKernel rows = resize_rows_plain;
  ColumnsKernel columns = resize_columns_plain;
};

Kernels kernels_of(ResizeKernel kernel) {
#if defined(__x86_64__)
  if (kernel == ResizeKernel::avx2) return {resize_rows_avx2, resize_columns_avx2};
#endif
  TRU_ASSERT(kernel == ResizeKernel::plain);
  return {};
}

}  // namespace

ResizeKernel best_resize_kernel() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return ResizeKernel::avx2;
#endif
  return ResizeKernel::plain;
}

RgbFrame resize_bicubic(RgbFrame frame, FrameSize size, ResizeKernel kernel) {
  TRU_ASSERT(frame.width > 0 && frame.height > 0 && size.width > 0 && size.height > 0);
  const Kernels kernels = kernels_of(kernel);
  if (size.width != frame.width) {
    const ResizeTaps taps = make_taps(frame.width, size.width);
    RgbFrame wide = blank_frame(size.width, frame.height);
    kernels.rows({frame.pixels.data(), wide.pixels.data(), frame.height, frame.width, &taps});
    frame = std::move(wide);
  }
  if (size.height != frame.height) {
    const ResizeTaps taps = make_taps(frame.height, size.height);
    RgbFrame tall = blank_frame(frame.width, size.height);
    const std::size_t row_bytes = std::size_t{3} * tall.width;
    kernels.columns({frame.pixels.data(), tall.pixels.data(), frame.height, row_bytes, &taps});
    frame = std::move(tall);
  }
  return frame;
}

}  // namespace tru::media
