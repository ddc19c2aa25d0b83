#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/assert.h"

namespace tru::engine {
namespace {

// The `count` greatest logits, best first; equal ones by id.
std::vector<std::int32_t> best_ids(std::span<const float> logits, std::size_t count) {
  std::vector<std::int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  count = std::min(count, ids.size());
  const auto better = [&](std::int32_t a, std::int32_t b) {
    const float x = logits[static_cast<std::size_t>(a)], y = logits[static_cast<std::size_t>(b)];
    return x != y ? x > y : a < b;
  };
  std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count), ids.end(),
                    better);
  ids.resize(count);
  return ids;
}

// log(sum(exp(logits))), in double: a vocabulary has 150,000 terms.
double log_sum_exp(std::span<const float> logits) {
  const double greatest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - greatest);
  return greatest + std::log(sum);
}

}  // namespace

GeneratedToken Sampler::sample(std::span<const float> logits, int top_logprobs) {
  TRU_ASSERT(!logits.empty());
  GeneratedToken token;
  token.id = choose(logits);
  const double total = log_sum_exp(logits);
  const auto logprob = [&](std::int32_t id) {
    return static_cast<float>(logits[static_cast<std::size_t>(id)] - total);
  };
  token.logprob = logprob(token.id);
  if (top_logprobs > 0) {
    for (const std::int32_t id : best_ids(logits, static_cast<std::size_t>(top_logprobs))) {
      token.top_logprobs.push_back({id, logprob(id)});
    }
  }
  return token;
}

std::int32_t Sampler::choose(std::span<const float> logits) {
  if (params_.temperature <= 0) {
    return static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) -
                                     logits.begin());
  }
  const std::size_t kept =
      params_.top_k > 0 ? static_cast<std::size_t>(params_.top_k) : logits.size();
  const std::vector<std::int32_t> ids = best_ids(logits, kept);
  std::vector<double> weights;
  double sum = 0;
  for (const std::int32_t id : ids) {
    const double distance = logits[static_cast<std::size_t>(id)] -
                            static_cast<double>(logits[static_cast<std::size_t>(ids[0])]);
    weights.push_back(std::exp(distance / params_.temperature));
    sum += weights.back();
  }
  // The smallest set of best tokens whose probability reaches top_p.
  double mass = 0;
  std::size_t count = 0;
  while (count < weights.size() && (count == 0 || mass < params_.top_p * sum)) {
    mass += weights[count++];
  }
  // 53 random bits as a number in [0, 1): std::uniform_real_distribution differs between libraries.
  double left = static_cast<double>(random_() >> 11) * 0x1.0p-53 * mass;
  for (std::size_t i = 0; i + 1 < count; ++i) {
    left -= weights[i];
    if (left < 0) return ids[i];
  }
  return ids[count - 1];
}

}  // namespace tru::engine
