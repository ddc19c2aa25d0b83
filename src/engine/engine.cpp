#include "engine/engine.h"

#include <algorithm>

#include "base/stopwatch.h"

namespace tru::engine {

Result<Engine> Engine::create(model::qwen3vl::Model& model, tensor::Device& device,
                              const EngineConfig& config) {
  TRU_TRY(model::KvCache cache,
          model::KvCache::create(model.kv_shape(), config.max_context, device));
  return Engine(model, config, std::move(cache));
}

Engine::Sequence::Sequence(Request r, model::qwen3vl::Model& model)
    : request(std::move(r)), feed(std::move(request.prompt), model), sampler(request.sampling) {}

void Engine::submit(Request request) {
  waiting_.push_back(std::move(request));
}

// One round of the model: which tokens, their logits, the next token, and to whom it goes.
bool Engine::step() {
  admit();
  if (!running_) return false;
  Sequence& sequence = *running_;

  const Result<PrefillBatch> batch = schedule(sequence);
  if (!batch) return finish(batch.error()), true;

  const Result<std::vector<float>> logits = forward(sequence, *batch);
  if (!logits) return finish(logits.error()), true;
  if (logits->empty()) return true;  // the prompt goes on

  const GeneratedToken token = sequence.sampler.sample(*logits, sequence.request.top_logprobs);
  const std::optional<FinishReason> reason = publish(sequence, token);
  if (reason) finish(*reason);
  return true;
}

// The one cache belongs to the running sequence; the next one starts when it is free.
void Engine::admit() {
  if (running_ || waiting_.empty()) return;
  running_ = std::make_unique<Sequence>(std::move(waiting_.front()), model_);
  waiting_.pop_front();
}

// The next part of the prompt or, after it, the token sampled last.
Result<PrefillBatch> Engine::schedule(Sequence& sequence) {
  if (sequence.request.stop.stop_requested()) {
    return fail(ErrorCode::cancelled, "the request was cancelled");
  }
  if (!sequence.feed.done()) {
    TRU_TRY(PrefillBatch batch, sequence.feed.take(config_.prefill_tokens, sequence.request.stop));
    sequence.completion.timings.vision_ms = sequence.feed.vision_ms();
    sequence.completion.num_reused_spans = sequence.feed.spans_reused();
    sequence.request.listener->on_vision(sequence.feed.spans_encoded());
    const auto tokens = static_cast<std::int64_t>(batch.ids.size());
    if (tokens == 0) return fail(ErrorCode::invalid_argument, "the prompt is empty");
    // One place is left for an answer.
    if (sequence.num_computed_tokens + tokens >= config_.max_context) {
      return fail(ErrorCode::context_overflow,
                  "the prompt has more than {} tokens, and the context holds {}; use fewer frames "
                  "or smaller ones (--profile quick), or a shorter prompt",
                  sequence.num_computed_tokens + tokens - 1, config_.max_context);
    }
    return batch;
  }
  PrefillBatch batch;
  batch.ids = {sequence.last_token};
  const auto position = static_cast<std::int32_t>(sequence.next_position++);
  for (auto& axis : batch.positions.axes) axis = {position};
  return batch;
}

Result<std::vector<float>> Engine::forward(Sequence& sequence, const PrefillBatch& batch) {
  const Stopwatch watch;
  const bool generating = sequence.completion.num_prompt_tokens > 0;
  const bool prompt_ends = !generating && sequence.feed.done();
  const model::qwen3vl::Batch rows{batch.ids, &batch.positions, batch.visual,
                                   sequence.num_computed_tokens, generating || prompt_ends};
  TRU_TRY(std::vector<float> logits,
          model_.language().forward(rows, cache_, sequence.request.stop));

  Completion& completion = sequence.completion;
  sequence.num_computed_tokens += static_cast<std::int64_t>(batch.ids.size());
  if (generating) {
    completion.timings.generate_ms += watch.elapsed_ms();
    return logits;
  }
  completion.timings.prefill_ms += watch.elapsed_ms();
  completion.prompt_token_ids.insert(completion.prompt_token_ids.end(), batch.ids.begin(),
                                     batch.ids.end());
  sequence.request.listener->on_prefill(sequence.num_computed_tokens);
  if (prompt_ends) {
    completion.num_prompt_tokens = sequence.num_computed_tokens;
    sequence.next_position = sequence.feed.next_position();
  }
  return logits;
}

// Hands the token to the listener; says whether and why it was the last one.
std::optional<FinishReason> Engine::publish(Sequence& sequence, const GeneratedToken& token) {
  const auto& stops = sequence.request.stop_token_ids;
  sequence.last_token = token.id;
  ++sequence.completion.num_completion_tokens;
  if (!sequence.request.listener->on_token(token)) return FinishReason::stop;
  if (std::find(stops.begin(), stops.end(), token.id) != stops.end()) return FinishReason::stop;
  if (sequence.loop_guard.add(token.id)) return FinishReason::repetition;
  const bool full = sequence.num_computed_tokens >= config_.max_context;
  if (full || sequence.completion.num_completion_tokens >= sequence.request.max_tokens) {
    return FinishReason::length;
  }
  return std::nullopt;
}

void Engine::finish(FinishReason reason) {
  running_->completion.finish_reason = reason;
  running_->request.listener->on_finish(std::move(running_->completion));
  running_.reset();
}

void Engine::finish(Error error) {
  running_->request.listener->on_finish(tl::unexpected<Error>(std::move(error)));
  running_.reset();
}

}  // namespace tru::engine
