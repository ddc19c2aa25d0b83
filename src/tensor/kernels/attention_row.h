// Attention of one query row over the vectors of floats F of the levels (floats_*.h). Keys and
// values are read once, where they lie and in the order in which they lie, because that is what
// takes the time: each is used for as many heads as share it. Included behind a level's
// `#pragma GCC target`.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "tensor/kernels/attention.h"
#include "tensor/kernels/float_math.h"

namespace tru::tensor {
namespace {

constexpr std::int64_t kKeysAtOnce = 4;    // of whose scores registers hold the sums
constexpr std::int64_t kValuesAtOnce = 8;  // that are added between loading and storing sums

// kHeads heads of the query from `head` on, which share a key head.
template <class F, bool kF16, int kHeads>
struct SharedHeads {
  using Float = typename F::Float;
  static constexpr std::int64_t kVectors =
      std::min(std::int64_t{8} / kHeads, kAttentionLanes / F::kLanes);

  const RowAttentionTask& task;
  std::int64_t head;

  static Float load(const std::byte* row, std::int64_t i) {
    if constexpr (kF16) return F::load_f16(row + 2 * i);
    return F::load(reinterpret_cast<const float*>(row) + i);
  }

  // Rows lie far apart: those that are needed next are fetched in time.
  [[gnu::always_inline]] void prefetch(const std::byte* row, std::int64_t row_bytes) const {
    const std::int64_t bytes = task.head_dim * (kF16 ? 2 : 4);
    for (std::int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(row + row_bytes + i);
  }

  // Scores of `count` keys from the one at `row` on, kKeysAtOnce at most, before they are scaled.
  void score(const std::byte* row, std::int64_t count, float* scores) const {
    const std::int64_t row_bytes = task.keys.row_bytes;
    const std::byte* rows[kKeysAtOnce];
    for (std::int64_t j = 0; j < kKeysAtOnce; ++j) {
      rows[j] = row + std::min(j, count - 1) * row_bytes;
      prefetch(rows[j], kKeysAtOnce * row_bytes);
    }
    const float* query = task.query + head * task.query_step;
    Float sums[kHeads][kKeysAtOnce];
#pragma GCC unroll 4
    for (int h = 0; h < kHeads; ++h) {
#pragma GCC unroll 4
      for (int j = 0; j < kKeysAtOnce; ++j) sums[h][j] = F::set1(0);
    }
#pragma GCC unroll 1
    for (std::int64_t i = 0; i < task.head_dim; i += F::kLanes) {
      Float keys[kKeysAtOnce];
#pragma GCC unroll 4
      for (int j = 0; j < kKeysAtOnce; ++j) keys[j] = load(rows[j], i);
#pragma GCC unroll 4
      for (int h = 0; h < kHeads; ++h) {
        const Float q = F::load(query + h * task.query_step + i);
#pragma GCC unroll 4
        for (int j = 0; j < kKeysAtOnce; ++j) sums[h][j] = F::fma(q, keys[j], sums[h][j]);
      }
    }
#pragma GCC unroll 4
    for (int h = 0; h < kHeads; ++h) {
      float* to = scores + (head + h) * kAttentionPartKeys;
#pragma GCC unroll 4
      for (int j = 0; j < kKeysAtOnce; ++j) {
        if (j < count) to[j] = F::sum(sums[h][j]);
      }
    }
  }

  // Adds `count` values from the one at `row` on, times their powers.
  template <std::int64_t kCount>
  void add(const std::byte* row, const float* powers, float* values) const {
    const std::int64_t row_bytes = task.values.row_bytes;
    for (std::int64_t j = 0; j < kCount; ++j) prefetch(row + j * row_bytes, kCount * row_bytes);
    for (std::int64_t i = 0; i < task.head_dim; i += kVectors * F::kLanes) {
      Float sums[kHeads][kVectors];
      float* to = values + head * task.head_dim + i;
#pragma GCC unroll 4
      for (int h = 0; h < kHeads; ++h) {
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) {
          sums[h][v] = F::load(to + h * task.head_dim + v * F::kLanes);
        }
      }
#pragma GCC unroll 1
      for (std::int64_t j = 0; j < kCount; ++j) {
        Float vectors[kVectors];
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) {
          vectors[v] = load(row + j * row_bytes, i + v * F::kLanes);
        }
#pragma GCC unroll 4
        for (int h = 0; h < kHeads; ++h) {
          const Float power = F::set1(powers[(head + h) * kAttentionPartKeys + j]);
#pragma GCC unroll 8
          for (int v = 0; v < kVectors; ++v) sums[h][v] = F::fma(power, vectors[v], sums[h][v]);
        }
      }
#pragma GCC unroll 4
      for (int h = 0; h < kHeads; ++h) {
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) {
          F::store(to + h * task.head_dim + v * F::kLanes, sums[h][v]);
        }
      }
    }
  }
};

// Calls use(heads, key_head) for all heads, as many that share a key head at once as registers
// hold.
template <class F, bool kF16, class Use>
[[gnu::always_inline]] inline void for_shared_heads(const RowAttentionTask& task, Use use) {
  const std::int64_t shared = task.heads / task.key_heads;
  for (std::int64_t key_head = 0; key_head < task.key_heads; ++key_head) {
    std::int64_t head = key_head * shared;
    std::int64_t left = shared;
    for (; left >= 4; left -= 4, head += 4) use(SharedHeads<F, kF16, 4>{task, head}, key_head);
    for (; left >= 2; left -= 2, head += 2) use(SharedHeads<F, kF16, 2>{task, head}, key_head);
    if (left > 0) use(SharedHeads<F, kF16, 1>{task, head}, key_head);
  }
}

// Scores become powers of their difference to the largest; returns that and their sum.
template <class F>
void scores_to_powers(float* scores, std::int64_t count, float scale, float& largest, float& sum) {
  const std::int64_t padded = (count + F::kLanes - 1) / F::kLanes * F::kLanes;
  // Their powers, of e^-87, do not count beside the largest score's, which is 1.
  std::fill(scores + count, scores + padded, -std::numeric_limits<float>::max());
  typename F::Float top = F::load(scores);
  for (std::int64_t i = F::kLanes; i < padded; i += F::kLanes) {
    top = F::max(F::load(scores + i), top);
  }
  largest = F::largest(top) * scale;
  typename F::Float sums = F::set1(0);
  for (std::int64_t i = 0; i < padded; i += F::kLanes) {
    const auto power = exp<F>(F::fma(F::load(scores + i), F::set1(scale), F::set1(-largest)));
    sums = sums + power;
    F::store(scores + i, power);
  }
  sum = F::sum(sums);
}

template <class F, bool kF16>
void attend_keys(const RowAttentionTask& task, std::int64_t first, std::int64_t count,
                 const AttentionPart& part) {
  const std::byte* keys = task.keys.data + first * task.keys.row_bytes;
  for (std::int64_t key = 0; key < count; key += kKeysAtOnce) {
    for_shared_heads<F, kF16>(task, [&](const auto& heads, std::int64_t key_head) {
      heads.score(keys + key * task.keys.row_bytes + key_head * task.key_step,
                  std::min(kKeysAtOnce, count - key), task.scores + key);
    });
  }
  for (std::int64_t h = 0; h < task.heads; ++h) {
    scores_to_powers<F>(task.scores + h * kAttentionPartKeys, count, task.scale, part.largest[h],
                        part.sums[h]);
  }
  std::fill_n(part.values, task.heads * task.head_dim, 0.0f);
  const std::byte* values = task.values.data + first * task.values.row_bytes;
  std::int64_t row = 0;
  const auto add = [&](auto rows) {
    for_shared_heads<F, kF16>(task, [&](const auto& heads, std::int64_t key_head) {
      heads.template add<rows>(values + row * task.values.row_bytes + key_head * task.value_step,
                               task.scores + row, part.values);
    });
  };
  for (; row + kValuesAtOnce <= count; row += kValuesAtOnce)
    add(std::integral_constant<std::int64_t, kValuesAtOnce>{});
  for (; row < count; ++row) add(std::integral_constant<std::int64_t, 1>{});
}

template <class F>
void attend_row(const RowAttentionTask& task, std::int64_t first, std::int64_t count,
                const AttentionPart& part) {
  task.keys.f16 ? attend_keys<F, true>(task, first, count, part)
                : attend_keys<F, false>(task, first, count, part);
}

}  // namespace
}  // namespace tru::tensor
