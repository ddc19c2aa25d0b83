// Logits -> the next token.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace tru::engine {

struct SamplingParams {
  double temperature = 0.7;  // 0: greedy
  double top_p = 0.8;        // in (0, 1]; 1: off
  int top_k = 20;            // 0: off
  std::uint64_t seed = 0;
};

struct TokenLogprob {
  std::int32_t id = 0;
  float logprob = 0;
};

struct GeneratedToken {
  std::int32_t id = 0;
  float logprob = 0;                       // natural log, of the model's own distribution
  std::vector<TokenLogprob> top_logprobs;  // best first
};

// Order of the filters as in transformers: temperature, top-k, top-p. The same seed and logits give
// the same tokens on every machine.
class Sampler {
 public:
  explicit Sampler(const SamplingParams& params) : params_(params), random_(params.seed) {}

  // top_logprobs: how many alternatives to list. Logprobs are before any filter.
  GeneratedToken sample(std::span<const float> logits, int top_logprobs);

 private:
  std::int32_t choose(std::span<const float> logits);

  SamplingParams params_;
  std::mt19937_64 random_;
};

}  // namespace tru::engine
