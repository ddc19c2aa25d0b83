// Antialiased bicubic resize of 8-bit RGB, bit for bit that of torchvision on uint8: PIL's filter
// with 16-bit weights, rounded to 8 bits after each of its two passes.
#pragma once

#include "base/frame.h"
#include "media/smart_resize.h"

namespace tru::media {

// How the passes are computed; the results are the same.
enum class ResizeKernel { plain, avx2 };

// The fastest that this machine has.
ResizeKernel best_resize_kernel();

// The same frame if the size is the same. size is not empty. Thread-safe.
RgbFrame resize_bicubic(RgbFrame frame, FrameSize size, ResizeKernel kernel = best_resize_kernel());

}  // namespace tru::media
