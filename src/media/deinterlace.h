// Interlaced frames to progressive ones, with libavfilter's bwdif.
#pragma once

#include "media/av.h"

namespace tru::media {

bool is_interlaced(const AVFrame& frame);

// One thread at a time.
class Deinterlacer {
 public:
  // frame as one progressive picture; before and after (shown next to it) improve it where they
  // are known. Null if the picture is too small or its format unknown to the filter: use frame.
  AvPtr<AVFrame> deinterlace(const AVFrame& frame, const AVFrame* before, const AVFrame* after);

 private:
  bool configure(const AVFrame& frame);
  bool push(const AVFrame& frame);

  AvPtr<AVFilterGraph> graph_;
  AVFilterContext* input_ = nullptr;   // owned by graph_
  AVFilterContext* output_ = nullptr;  // owned by graph_
  int width_ = 0, height_ = 0, format_ = -1;
  std::int64_t pushed_ = 0;
};

}  // namespace tru::media
