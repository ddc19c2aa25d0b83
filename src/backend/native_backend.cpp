#include "backend/native_backend.h"

#include "backend/native_prompt.h"
#include "backend/stop_strings.h"
#include "base/assert.h"
#include "text/detokenizer.h"

namespace tru::backend {
namespace {

std::string_view to_string(engine::FinishReason reason) {
  switch (reason) {
    case engine::FinishReason::stop:
      return "stop";
    case engine::FinishReason::length:
      return "length";
    case engine::FinishReason::repetition:
      return "repetition";
  }
  return "stop";
}

// Collects one answer from the engine's events.
class AnswerCollector : public engine::SequenceListener {
 public:
  AnswerCollector(const text::Tokenizer& tokenizer, const NativePrompt& prompt,
                  const GenerationParams& params, AnswerListener& listener)
      : tokenizer_(tokenizer),
        prompt_(prompt),
        params_(params),
        listener_(listener),
        detokenizer_(tokenizer),
        stop_strings_(params.stop) {}

  void on_vision(std::int64_t spans_encoded) override {
    if (prompt_.num_visual_spans() == 0) return;
    listener_.on_progress(Stage::vision, spans_encoded, prompt_.num_visual_spans());
  }

  void on_prefill(std::int64_t tokens_computed) override {
    listener_.on_progress(Stage::prefill, tokens_computed, prompt_.num_tokens());
  }

  bool on_token(const engine::GeneratedToken& token) override {
    listener_.on_progress(Stage::generate, ++num_tokens_, params_.max_tokens);
    if (params_.logprobs) keep(token);
    emit(stop_strings_.push(detokenizer_.push(token.id)));
    return !stop_strings_.found();
  }

  void on_finish(Result<engine::Completion> completion) override {
    if (!stop_strings_.found()) {
      emit(stop_strings_.push(detokenizer_.finish()));
      emit(stop_strings_.finish());
    }
    completion_ = std::move(completion);
  }

  Result<Generation> result() {
    TRU_ASSERT(completion_.has_value());
    if (!*completion_) return tl::unexpected(completion_->error());
    engine::Completion& done = **completion_;
    generation_.finish_reason = to_string(done.finish_reason);
    generation_.usage = {done.num_prompt_tokens, done.num_completion_tokens,
                         done.num_cached_tokens};
    generation_.timings = {done.timings.vision_ms, done.timings.prefill_ms,
                           done.timings.generate_ms};
    generation_.reused_temporal_patches = done.num_reused_spans;
    if (params_.logprobs) generation_.prompt_token_ids = std::move(done.prompt_token_ids);
    return std::move(generation_);
  }

 private:
  void emit(const std::string& text) {
    if (text.empty()) return;
    generation_.text += text;
    listener_.on_text(text);
  }

  void keep(const engine::GeneratedToken& token) {
    OutputToken kept;
    static_cast<AlternativeToken&>(kept) = describe(token.id, token.logprob);
    for (const engine::TokenLogprob& alternative : token.top_logprobs) {
      kept.top_logprobs.push_back(describe(alternative.id, alternative.logprob));
    }
    listener_.on_token(kept);
    generation_.tokens.push_back(std::move(kept));
  }

  AlternativeToken describe(std::int32_t id, float logprob) const {
    return {id, std::string(tokenizer_.bytes(id)), logprob};
  }

  const text::Tokenizer& tokenizer_;
  const NativePrompt& prompt_;
  const GenerationParams& params_;
  AnswerListener& listener_;
  text::Detokenizer detokenizer_;
  StopStrings stop_strings_;
  Generation generation_;
  std::int64_t num_tokens_ = 0;
  std::optional<Result<engine::Completion>> completion_;
};

}  // namespace

std::string_view to_string(Stage stage) {
  switch (stage) {
    case Stage::load:
      return "load";
    case Stage::download:
      return "download";
    case Stage::decode:
      return "decode";
    case Stage::vision:
      return "vision";
    case Stage::prefill:
      return "prefill";
    case Stage::generate:
      return "generate";
  }
  return "";
}

Result<std::unique_ptr<NativeBackend>> NativeBackend::load(const NativeConfig& config) {
  TRU_TRY(NativePlanner planner, NativePlanner::load(config));
  std::unique_ptr<NativeBackend> backend(new NativeBackend(std::move(planner)));
  NativePlanner& facts = backend->planner_;
  TRU_TRY(backend->model_, model::qwen3vl::Model::load(facts.checkpoint(), facts.device(),
                                                       facts.weight_format(), config.weight_cache));
  engine::EngineConfig engine_config;
  engine_config.max_context = facts.info().max_context;
  TRU_TRY(engine::Engine engine,
          engine::Engine::create(*backend->model_, facts.device(), engine_config));
  backend->engine_ = std::make_unique<engine::Engine>(std::move(engine));
  return backend;
}

Result<Generation> NativeBackend::generate(const Prompt& prompt,
                                           const std::vector<FrameSource*>& frames,
                                           const GenerationParams& params, AnswerListener& listener,
                                           std::stop_token stop) {
  const auto& native = dynamic_cast<const NativePrompt&>(prompt);
  AnswerCollector collector(planner_.tokenizer(), native, params, listener);
  engine::Request request;
  std::vector<std::int64_t> dropped;
  request.prompt = std::make_unique<NativePromptSource>(
      native, frames, listener, params.drop_unchanged ? &model_->patch_shape() : nullptr, &dropped);
  request.sampling = {params.temperature, params.top_p, params.top_k, params.seed};
  request.max_tokens = params.max_tokens;
  request.top_logprobs = params.logprobs ? params.top_logprobs : 0;
  request.stop_token_ids = model_->config().eos_token_ids;
  request.listener = &collector;
  request.stop = stop;
  engine_->submit(std::move(request));
  while (engine_->step()) {
  }
  TRU_TRY(Generation generation, collector.result());
  generation.dropped_tokens = std::move(dropped);
  return generation;
}

}  // namespace tru::backend
