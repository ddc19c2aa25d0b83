#include "pipeline/media_set.h"

#include <algorithm>

#include "base/assert.h"

namespace tru::pipeline {
namespace {

media::PatchGeometry geometry_of(const backend::VisionLimits& vision) {
  return {vision.patch_size, vision.spatial_merge_size, vision.temporal_patch_size};
}

// One video's frames. Its decoder starts with start() or the first next().
class VideoFrames : public backend::FrameSource {
 public:
  VideoFrames(const OpenMedia& media, const MediaPlan& plan) : media_(media), plan_(plan) {}

  void start() {
    if (!stream_) stream_ = media::decode_frames(*media_.video, *plan_.video);
  }

  Result<std::optional<FramePair>> next(std::stop_token stop) override {
    start();
    auto pair = stream_->next(stop);
    ended_ = pair && !*pair;
    if (pair && *pair) ++pairs_;
    return pair;
  }

  std::string file() const override { return media_.file.path(); }

  double decode_ms() const { return stream_ ? stream_->busy_ms() : 0; }

  // The plan, cut to what could be decoded.
  VideoReport report() const {
    VideoReport report = planned_report(media_, plan_);
    if (!stream_ || !ended_) return report;
    const auto& warnings = stream_->warnings();
    report.warnings.insert(report.warnings.end(), warnings.begin(), warnings.end());
    media::VideoPlan& seen = report.plan;
    if (pairs_ >= seen.grid_thw[0]) return report;
    const auto frames = static_cast<std::size_t>(stream_->frames_delivered());
    seen.frames.resize(std::min(seen.frames.size(), frames));
    seen.timestamps_s.resize(static_cast<std::size_t>(pairs_));
    seen.video_tokens = seen.video_tokens / seen.grid_thw[0] * pairs_;
    seen.grid_thw[0] = pairs_;
    return report;
  }

 private:
  const OpenMedia& media_;
  const MediaPlan& plan_;
  std::unique_ptr<media::FrameStream> stream_;
  bool ended_ = false;
  int pairs_ = 0;  // delivered
};

// An image: one pair, then the end.
class ImageFrames : public backend::FrameSource {
 public:
  ImageFrames(const OpenMedia& media, const media::ImagePlan& plan) : media_(media), plan_(plan) {}

  Result<std::optional<FramePair>> next(std::stop_token) override {
    if (std::exchange(given_, true)) return std::optional<FramePair>();
    return media_.image->frames(plan_.size);
  }

  std::string file() const override { return media_.file.path(); }

 private:
  const OpenMedia& media_;
  const media::ImagePlan& plan_;
  bool given_ = false;
};

class DecodingFrames : public MediaFrames {
 public:
  DecodingFrames(const std::vector<OpenMedia>& media, const std::vector<MediaPlan>& plans) {
    for (std::size_t i = 0; i < media.size(); ++i) {
      if (media[i].image) {
        images_.push_back(std::make_unique<ImageFrames>(media[i], *plans[i].image));
        sources_.push_back(images_.back().get());
        continue;
      }
      videos_.push_back(std::make_unique<VideoFrames>(media[i], plans[i]));
      sources_.push_back(videos_.back().get());
    }
    // The others start when the model gets to them: their frames would only wait in memory.
    if (!videos_.empty()) videos_.front()->start();
  }

  std::vector<backend::FrameSource*> sources() override { return sources_; }

  std::vector<VideoReport> reports() const override {
    std::vector<VideoReport> reports;
    for (const auto& video : videos_) reports.push_back(video->report());
    return reports;
  }

  double decode_ms() const override {
    double sum = 0;
    for (const auto& video : videos_) sum += video->decode_ms();
    return sum;
  }

 private:
  std::vector<std::unique_ptr<VideoFrames>> videos_;
  std::vector<std::unique_ptr<ImageFrames>> images_;
  std::vector<backend::FrameSource*> sources_;
};

}  // namespace

Result<std::vector<LocalFile>> fetch_media(const std::vector<MediaRef>& refs,
                                           const fetch::Fetcher& fetcher,
                                           backend::AnswerListener& listener,
                                           std::stop_token stop) {
  std::vector<LocalFile> files;
  for (const MediaRef& ref : refs) {
    const auto progress = [&](std::int64_t done, std::int64_t total) {
      listener.on_progress(backend::Stage::download, done, total);
    };
    TRU_TRY(LocalFile file, LocalFile::resolve(ref, fetcher, progress, stop));
    files.push_back(std::move(file));
  }
  return files;
}

Result<std::vector<OpenMedia>> open_media(const std::vector<MediaRef>& refs,
                                          const std::vector<LocalFile>& files) {
  TRU_ASSERT(files.size() == refs.size());
  std::vector<OpenMedia> media;
  for (std::size_t i = 0; i < refs.size(); ++i) {
    OpenMedia opened{files[i], {}, {}};
    const std::string& path = opened.file.path();
    if (refs[i].kind == text::PartKind::image) {
      TRU_TRY(opened.image, media::ImageFile::open(path, {}, opened.file.name()));
    } else {
      TRU_TRY(opened.video, media::VideoFile::open(path, {}, opened.file.name()));
    }
    media.push_back(std::move(opened));
  }
  return media;
}

VideoReport planned_report(const OpenMedia& video, const MediaPlan& plan) {
  VideoReport report{video.video->info(), *plan.video, video.video->info().warnings};
  report.info.source = video.file.name();
  return report;
}

backend::MediaShape MediaPlan::shape() const {
  if (video) return {text::PartKind::video, video->grid_thw, video->timestamps_s};
  return {text::PartKind::image, image->grid_thw, {}};
}

Result<std::vector<MediaPlan>> plan_frames(const std::vector<OpenMedia>& media,
                                           const VideoRequest& request,
                                           const VideoDefaults& defaults,
                                           const backend::VisionLimits& vision,
                                           std::optional<std::int64_t> visual_tokens) {
  const auto videos = std::count_if(media.begin(), media.end(),
                                    [](const OpenMedia& m) { return m.video.has_value(); });
  if (visual_tokens && videos > 1) *visual_tokens /= videos;
  const media::VideoParams params = resolve(request, defaults, vision, visual_tokens);
  const media::PixelBounds clip{vision.video_min_pixels, vision.video_max_pixels};
  const media::PixelBounds picture = image_bounds(request, defaults, vision, videos > 0);

  std::vector<MediaPlan> plans;
  for (const OpenMedia& item : media) {
    MediaPlan plan;
    if (item.video) {
      TRU_TRY(plan.video, media::plan_video(item.video->info(), item.video->frame_times_s(), params,
                                            geometry_of(vision), clip));
    } else {
      TRU_TRY(plan.image, media::plan_image(item.image->size(), geometry_of(vision), picture));
    }
    plans.push_back(std::move(plan));
  }
  return plans;
}

std::unique_ptr<MediaFrames> decode_frames(const std::vector<OpenMedia>& media,
                                           const std::vector<MediaPlan>& plans) {
  return std::make_unique<DecodingFrames>(media, plans);
}

}  // namespace tru::pipeline
