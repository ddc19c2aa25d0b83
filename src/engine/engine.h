// Runs requests against the model. Everything here happens on one thread, the engine thread, which
// alone touches weights, KV cache and device: no locks.
#pragma once

#include <deque>
#include <memory>
#include <optional>

#include "engine/loop_guard.h"
#include "engine/prompt_feed.h"
#include "engine/request.h"
#include "model/qwen3vl/model.h"

namespace tru::engine {

struct EngineConfig {
  std::int64_t max_context = 0;  // tokens of prompt and answer; see choose_max_context()
  std::int64_t prefill_tokens = model::qwen3vl::kPrefillTokens;  // of one forward pass
};

class Engine {
 public:
  // Model and device outlive the engine. Error: engine_failed.
  static Result<Engine> create(model::qwen3vl::Model& model, tensor::Device& device,
                               const EngineConfig& config);

  const EngineConfig& config() const { return config_; }

  // Queues a request. Its listener hears everything else, on_finish last and exactly once.
  void submit(Request request);

  // One forward pass for the running sequence. False when there is nothing left to do.
  bool step();

 private:
  struct Sequence {
    explicit Sequence(Request r, model::qwen3vl::Model& model);
    Request request;
    PromptFeed feed;
    Sampler sampler;
    LoopGuard loop_guard;
    Completion completion;
    std::int64_t num_computed_tokens = 0;
    std::int64_t next_position = 0;
    std::int32_t last_token = 0;
  };

  Engine(model::qwen3vl::Model& model, const EngineConfig& config, model::KvCache cache)
      : model_(model), config_(config), cache_(std::move(cache)) {}

  void admit();
  Result<PrefillBatch> schedule(Sequence& sequence);
  Result<std::vector<float>> forward(Sequence& sequence, const PrefillBatch& batch);
  std::optional<FinishReason> publish(Sequence& sequence, const GeneratedToken& token);
  void finish(FinishReason reason);
  void finish(Error error);

  model::qwen3vl::Model& model_;
  EngineConfig config_;
  model::KvCache cache_;
  std::deque<Request> waiting_;
  std::unique_ptr<Sequence> running_;
};

}  // namespace tru::engine
