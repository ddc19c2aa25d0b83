#include "media/deinterlace.h"

extern "C" {
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
}

#include <fmt/format.h>

#include "base/assert.h"

namespace tru::media {

bool is_interlaced(const AVFrame& frame) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100)
  return (frame.flags & AV_FRAME_FLAG_INTERLACED) != 0;
#else
  return frame.interlaced_frame != 0;
#endif
}

bool Deinterlacer::configure(const AVFrame& frame) {
  if (graph_ && frame.width == width_ && frame.height == height_ && frame.format == format_)
    return true;
  graph_.reset(avfilter_graph_alloc());
  TRU_ASSERT(graph_ != nullptr);
  width_ = frame.width;
  height_ = frame.height;
  format_ = frame.format;
  const std::string size = fmt::format("video_size={}x{}:pix_fmt={}:time_base=1/1:frame_rate=1/1",
                                       width_, height_, format_);
  AVFilterContext* filter = nullptr;
  graph_->nb_threads = 1;
  const bool made = avfilter_graph_create_filter(&input_, avfilter_get_by_name("buffer"), "in",
                                                 size.c_str(), nullptr, graph_.get()) >= 0 &&
                    avfilter_graph_create_filter(&filter, avfilter_get_by_name("bwdif"), "bwdif",
                                                 "mode=send_frame:deint=interlaced", nullptr,
                                                 graph_.get()) >= 0 &&
                    avfilter_graph_create_filter(&output_, avfilter_get_by_name("buffersink"),
                                                 "out", nullptr, nullptr, graph_.get()) >= 0 &&
                    avfilter_link(input_, 0, filter, 0) >= 0 &&
                    avfilter_link(filter, 0, output_, 0) >= 0 &&
                    avfilter_graph_config(graph_.get(), nullptr) >= 0;
  if (!made) graph_.reset();
  return made;
}

bool Deinterlacer::push(const AVFrame& frame) {
  const AvPtr<AVFrame> reference(av_frame_clone(&frame));
  if (reference == nullptr) return false;
  reference->pts = pushed_++;
  return av_buffersrc_add_frame(input_, reference.get()) >= 0;
}

AvPtr<AVFrame> Deinterlacer::deinterlace(const AVFrame& frame, const AVFrame* before,
                                         const AVFrame* after) {
  if (!configure(frame)) return nullptr;
  // The filter gives each frame when it has seen the next one.
  const bool pushed = push(before != nullptr ? *before : frame) && push(frame) &&
                      push(after != nullptr ? *after : frame);
  AvPtr<AVFrame> result;
  for (;;) {
    AvPtr<AVFrame> out(av_frame_alloc());
    TRU_ASSERT(out != nullptr);
    if (av_buffersink_get_frame(output_, out.get()) < 0) break;
    result = std::move(out);
  }
  if (!pushed) graph_.reset();
  return result;
}

}  // namespace tru::media
