// The native engine as a Backend: a checkpoint, loaded and ready to answer.
#pragma once

#include <memory>

#include "backend/native_planner.h"
#include "engine/engine.h"

namespace tru::backend {

class NativeBackend : public Backend {
 public:
  // Errors: model_invalid, config_invalid, engine_failed.
  static Result<std::unique_ptr<NativeBackend>> load(const NativeConfig& config);

  ModelInfo info() const override { return planner_.info(); }
  Result<std::unique_ptr<Prompt>> build_prompt(
      const std::vector<text::Message>& messages,
      const std::vector<MediaShape>& media) const override {
    return planner_.build_prompt(messages, media);
  }
  Result<Estimate> estimate(const Prompt& prompt, const std::vector<MediaShape>& media,
                            std::int64_t max_tokens) override {
    return planner_.estimate(prompt, media, max_tokens);
  }
  Result<Generation> generate(const Prompt& prompt, const std::vector<FrameSource*>& frames,
                              const GenerationParams& params, AnswerListener& listener,
                              std::stop_token stop) override;

  NativePlanner& planner() { return planner_; }
  // For measurements of single stages.
  model::qwen3vl::Model& model() { return *model_; }

 private:
  explicit NativeBackend(NativePlanner planner) : planner_(std::move(planner)) {}

  NativePlanner planner_;
  std::unique_ptr<model::qwen3vl::Model> model_;
  std::unique_ptr<engine::Engine> engine_;
};

}  // namespace tru::backend
