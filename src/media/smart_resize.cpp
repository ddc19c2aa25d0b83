#include "media/smart_resize.h"

#include <algorithm>
#include <cmath>

#include "base/assert.h"

namespace tru::media {
namespace {

constexpr double kMaxAspect = 200;

Status check_aspect(double width, double height) {
  const double aspect = std::max(width, height) / std::min(width, height);
  if (aspect <= kMaxAspect) return {};
  return fail(ErrorCode::media_dimensions,
              "the picture is {:.0f} times as long as it is wide: at most {:.0f} can be used",
              aspect, kMaxAspect);
}

// Both rules, in doubles as the reference: volume is what the bounds are compared with, frames
// what the pixels are multiplied by to scale them.
Resized fit(double width, double height, double volume_frames, double frames, double factor,
            PixelBounds bounds) {
  double w = std::nearbyint(width / factor) * factor;
  double h = std::nearbyint(height / factor) * factor;
  PixelBound bound_by = PixelBound::none;
  if (volume_frames * h * w > double(bounds.longest_edge)) {
    const double beta = std::sqrt(frames * height * width / double(bounds.longest_edge));
    h = std::max(factor, std::floor(height / beta / factor) * factor);
    w = std::max(factor, std::floor(width / beta / factor) * factor);
    bound_by = PixelBound::longest_edge;
  } else if (volume_frames * h * w < double(bounds.shortest_edge)) {
    const double beta = std::sqrt(double(bounds.shortest_edge) / (frames * height * width));
    h = std::ceil(height * beta / factor) * factor;
    w = std::ceil(width * beta / factor) * factor;
    bound_by = PixelBound::shortest_edge;
  }
  return {.size = {static_cast<int>(w), static_cast<int>(h)}, .bound_by = bound_by};
}

}  // namespace

Result<Resized> resize_video(FrameSize frame, int num_frames, int temporal_patch_size, int factor,
                             PixelBounds bounds) {
  TRU_ASSERT(frame.width > 0 && frame.height > 0 && num_frames > 0);
  double width = frame.width;
  double height = frame.height;
  if (width < factor || height < factor) {
    const double scale = std::max(factor / height, factor / width);
    height = std::trunc(height * scale);
    width = std::trunc(width * scale);
  }
  TRU_CHECK(check_aspect(width, height));
  const double padded =
      std::nearbyint(double(num_frames) / temporal_patch_size) * temporal_patch_size;
  return fit(width, height, padded, num_frames, factor, bounds);
}

Result<Resized> resize_image(FrameSize image, int factor, PixelBounds bounds) {
  TRU_ASSERT(image.width > 0 && image.height > 0);
  TRU_CHECK(check_aspect(image.width, image.height));
  return fit(image.width, image.height, 1, 1, factor, bounds);
}

}  // namespace tru::media
