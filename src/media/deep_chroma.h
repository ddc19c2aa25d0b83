// Deep colours (9 to 12 bits) with chroma at half height, for libswscale.
#pragma once

#include "media/av.h"

namespace tru::media {

// True for planar YUV 4:2:0 of 9 to 12 bits without transparency.
bool has_deep_chroma_rows(AVPixelFormat format);

// The frame as 14-bit 4:2:2, its chroma interpolated between rows as libswscale 9 does it. Older
// ones repeat or average the rows when they convert such a frame themselves. Null without memory.
AvPtr<AVFrame> interpolate_chroma_rows(const AVFrame& frame);

}  // namespace tru::media
