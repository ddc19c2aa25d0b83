#include "stages.h"

#include "backend/native_prompt.h"
#include "model/qwen3vl/patches.h"
#include "pipeline/answer_video.h"

namespace tru::parity {
namespace {

using model::qwen3vl::GridTHW;

class SilentListener : public backend::AnswerListener {
 public:
  void on_progress(backend::Stage, std::int64_t, std::int64_t) override {}
  void on_text(std::string_view) override {}
};

void add_plan(const pipeline::MediaPlan& plan, Stages& stages) {
  const backend::MediaShape shape = plan.shape();
  stages.grid_thw[shape.kind].emplace_back(shape.grid_thw.begin(), shape.grid_thw.end());
  if (!plan.video) return;
  auto& indices = stages.frames_indices.emplace_back();
  for (const media::PlannedFrame& frame : plan.video->frames) indices.push_back(frame.index);
  stages.resized_hw.push_back({plan.video->size.height, plan.video->size.width});
  for (const double time_s : plan.video->timestamps_s) {
    stages.timestamps_text.push_back(media::format_timestamp(time_s));
  }
}

void add_prompt(const backend::NativePrompt& prompt, int merge, Stages& stages) {
  model::qwen3vl::PositionCounter counter;
  for (const text::PromptSegment& segment : prompt.segments()) {
    counter.add_text(static_cast<std::int64_t>(segment.ids.size()), stages.positions);
    if (!segment.visual) continue;
    const auto& grid = prompt.media()[segment.visual->media_index].grid_thw;
    counter.add_visual(grid[1] / merge, grid[2] / merge, stages.positions);
  }
  stages.prompt_token_ids = text::prompt_token_ids(prompt.segments());
  stages.next_position = counter.next();
}

void append(const std::vector<float>& from, std::vector<float>& to) {
  to.insert(to.end(), from.begin(), from.end());
}

Status add_visual(backend::FrameSource& source, const std::array<int, 3>& planned,
                  model::qwen3vl::Model& model, Visual& visual) {
  const model::qwen3vl::PatchShape& shape = model.patch_shape();
  GridTHW grid{0, planned[1], planned[2]};
  const auto pair_values = static_cast<std::size_t>(grid.h * grid.w * shape.row_size());
  std::vector<float> patches;
  while (true) {
    TRU_TRY(const auto pair, source.next({}));
    if (!pair) break;
    ++grid.t;
    patches.resize(patches.size() + pair_values);
    make_patches(*pair, shape, std::span(patches).last(pair_values));
  }
  TRU_TRY(const auto features, model.vision().encode(grid, patches, {}));
  visual.row_size = shape.row_size();
  append(patches, visual.patches);
  append(features.embeddings, visual.merged);
  visual.deepstack.resize(features.deepstack.size());
  for (std::size_t i = 0; i < features.deepstack.size(); ++i) {
    append(features.deepstack[i], visual.deepstack[i]);
  }
  return {};
}

}  // namespace

Result<Stages> run_stages(const pipeline::Question& question, backend::NativeBackend& backend) {
  SilentListener listener;
  TRU_TRY(const auto files, pipeline::fetch_media(question.media, fetch::Fetcher(), listener, {}));
  TRU_TRY(const auto planned, pipeline::plan_question(question, files, {}, backend));
  Stages stages;
  for (const pipeline::MediaPlan& plan : planned.plans) add_plan(plan, stages);
  add_prompt(dynamic_cast<const backend::NativePrompt&>(*planned.prompt),
             backend.info().vision.spatial_merge_size, stages);

  const auto frames = pipeline::decode_frames(planned.media, planned.plans);
  const auto sources = frames->sources();
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const backend::MediaShape shape = planned.plans[i].shape();
    TRU_CHECK(add_visual(*sources[i], shape.grid_thw, backend.model(), stages.visual[shape.kind]));
  }
  return stages;
}

Result<backend::Generation> run_answer(const pipeline::Question& question,
                                       backend::NativeBackend& backend) {
  SilentListener listener;
  TRU_TRY(pipeline::Answer answer,
          pipeline::answer_video(question, {}, fetch::Fetcher(), backend, listener, {}));
  return std::move(answer.generation);
}

// An answer that leaves `ids` is broken off and begun again behind the place where it did.
Result<std::vector<std::int32_t>> next_tokens(const pipeline::Question& question,
                                              const std::vector<std::int32_t>& ids,
                                              backend::NativeBackend& backend) {
  SilentListener listener;
  TRU_TRY(const auto files, pipeline::fetch_media(question.media, fetch::Fetcher(), listener, {}));
  TRU_TRY(const auto planned, pipeline::plan_question(question, files, {}, backend));
  const auto& prompt = dynamic_cast<const backend::NativePrompt&>(*planned.prompt);
  std::vector<std::int32_t> chosen;
  while (chosen.size() < ids.size()) {
    const auto known = static_cast<std::ptrdiff_t>(chosen.size());
    std::vector<text::PromptSegment> segments = prompt.segments();
    if (known > 0) segments.push_back({{ids.begin(), ids.begin() + known}, {}});
    backend::GenerationParams params = question.generation;
    params.max_tokens = static_cast<std::int64_t>(ids.size()) - known;
    const auto frames = pipeline::decode_frames(planned.media, planned.plans);
    TRU_TRY(const auto answer, backend.generate(backend::NativePrompt(segments, prompt.media()),
                                                frames->sources(), params, listener, {}));
    for (const backend::OutputToken& token : answer.tokens) {
      chosen.push_back(token.id);
      if (token.id != ids[chosen.size() - 1]) break;
    }
  }
  return chosen;
}

}  // namespace tru::parity
