#include "tensor/kernels/attention.h"

#include <ggml.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

namespace tru::tensor {
namespace {

std::vector<float> normal_values(std::int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = normal(random);
  return values;
}

struct Case {
  std::int64_t head_dim, rows, keys;
  bool causal;
  std::int64_t visible(std::int64_t row) const { return causal ? keys - rows + row + 1 : keys; }
};

// By the formula, in double precision.
std::vector<double> exact(const Case& c, const std::vector<float>& q, const std::vector<float>& k,
                          const std::vector<float>& v) {
  const auto at = [&](const std::vector<float>& x, std::int64_t row, std::int64_t i) {
    return static_cast<double>(x[static_cast<std::size_t>(row * c.head_dim + i)]);
  };
  std::vector<double> out;
  for (std::int64_t row = 0; row < c.rows; ++row) {
    std::vector<double> powers;
    double sum = 0;
    for (std::int64_t key = 0; key < c.visible(row); ++key) {
      double score = 0;
      for (std::int64_t i = 0; i < c.head_dim; ++i) score += at(q, row, i) * at(k, key, i);
      powers.push_back(std::exp(score / std::sqrt(static_cast<double>(c.head_dim))));
      sum += powers.back();
    }
    for (std::int64_t i = 0; i < c.head_dim; ++i) {
      double value = 0;
      for (std::int64_t key = 0; key < c.visible(row); ++key) {
        value += powers[static_cast<std::size_t>(key)] * at(v, key, i);
      }
      out.push_back(value / sum);
    }
  }
  return out;
}

std::vector<float> attend(CpuLevel level, const Case& c, const std::vector<float>& q,
                          const std::vector<float>& k, const std::vector<float>& v) {
  const AttentionKernels& kernels = attention_kernels(level);
  const std::int64_t padded = padded_to_lanes(c.keys);
  const std::size_t bytes = kernels.packed_bytes(c.head_dim, c.keys);
  std::vector<float> memory(2 * bytes / sizeof(float), NAN);
  auto* block = reinterpret_cast<std::byte*>(memory.data());
  const PackedHead head{block, block + bytes, c.head_dim, padded};
  const auto rows = [&](const std::vector<float>& x) {
    return HeadRows{reinterpret_cast<const std::byte*>(x.data()), c.head_dim * 4, false};
  };
  for (std::int64_t key = 0; key < padded; key += kAttentionLanes) {
    kernels.pack(rows(k), rows(v), key, c.keys, head);
  }
  CacheLine unset;
  std::fill_n(unset.floats, 16, NAN);
  std::vector<CacheLine> scratch(kernels.scratch_lines(c.head_dim, padded), unset);
  std::vector<float> out(q.size(), NAN);
  for (std::int64_t row = 0; row < c.rows; row += kernels.rows) {
    const auto first = static_cast<std::size_t>(row * c.head_dim);
    kernels.attend({head, &q[first], c.head_dim, std::min(kernels.rows, c.rows - row),
                    c.visible(row), c.causal, 1 / std::sqrt(static_cast<float>(c.head_dim)),
                    &out[first], c.head_dim, scratch.data()});
  }
  return out;
}

// What words of a level keep of numbers of about 1: all of f32, 8 bits of bf16, 11 bits of values.
double tolerance(CpuLevel level) {
  if (level == CpuLevel::amx) return 0.03;
  return attention_kernels(level).values_per_word == 1 ? 4e-6 : 1.5e-3;
}

// One row of some heads, of keys and values in f16 or f32 that lie apart as in a cache.
struct RowCase {
  std::int64_t head_dim, heads, key_heads, keys;
  bool f16;
};

// A number as keys and values have it, and its bytes.
float stored(float value, bool f16, std::byte* to) {
  if (!f16) {
    std::memcpy(to, &value, sizeof value);
    return value;
  }
  const ggml_fp16_t half = ggml_fp32_to_fp16(value);
  std::memcpy(to, &half, sizeof half);
  return ggml_fp16_to_fp32(half);
}

// [keys][key heads][head_dim] of `values`, which become what is stored. What lies between is NAN.
std::vector<std::byte> stored_rows(const RowCase& c, std::vector<float>& values,
                                   std::int64_t row_bytes) {
  std::vector<std::byte> rows(static_cast<std::size_t>(c.keys * row_bytes), std::byte{0xFF});
  const std::int64_t width = c.key_heads * c.head_dim;
  for (std::int64_t i = 0; i < c.keys * width; ++i) {
    float& value = values[static_cast<std::size_t>(i)];
    value = stored(
        value, c.f16,
        &rows[static_cast<std::size_t>(i / width * row_bytes + i % width * (c.f16 ? 2 : 4))]);
  }
  return rows;
}

std::vector<float> attend_row(CpuLevel level, const RowCase& c, const std::vector<float>& q,
                              const std::vector<std::byte>& k, const std::vector<std::byte>& v,
                              std::int64_t row_bytes) {
  const std::int64_t step = c.head_dim * (c.f16 ? 2 : 4);
  const std::int64_t parts = attention_parts(c.keys);
  std::vector<float> scores(static_cast<std::size_t>(c.heads * kAttentionPartKeys), NAN);
  std::vector<float> block(static_cast<std::size_t>(parts * part_floats(c.heads, c.head_dim)), NAN);
  const RowAttentionTask task{c.head_dim,
                              c.heads,
                              c.key_heads,
                              q.data(),
                              c.head_dim,
                              {k.data(), row_bytes, c.f16},
                              {v.data(), row_bytes, c.f16},
                              step,
                              step,
                              1 / std::sqrt(static_cast<float>(c.head_dim)),
                              scores.data()};
  for (std::int64_t p = 0; p < parts; ++p) {
    const std::int64_t first = p * kAttentionPartKeys;
    attention_kernels(level).attend_row(task, first, std::min(kAttentionPartKeys, c.keys - first),
                                        part_at(block.data(), p, c.heads, c.head_dim));
  }
  std::vector<float> out(q.size(), NAN);
  join_parts(block.data(), parts, c.heads, c.head_dim, out.data());
  return out;
}

class Attention : public testing::TestWithParam<CpuLevel> {
 public:
  void expect_formula(const Case& c, const std::vector<float>& q, const std::vector<float>& k,
                      const std::vector<float>& v, double error) {
    const auto expected = exact(c, q, k, v);
    const auto out = attend(GetParam(), c, q, k, v);
    for (std::size_t i = 0; i < out.size(); ++i) {
      ASSERT_NEAR(out[i], expected[i], error)
          << c.head_dim << " " << c.rows << " " << c.keys << " " << c.causal;
    }
  }
};

TEST_P(Attention, IsTheFormula) {
  for (const bool causal : {false, true}) {
    for (const std::int64_t head_dim : {24, 40, 64, 72, 128}) {
      for (const auto& [rows, keys] : std::vector<std::pair<std::int64_t, std::int64_t>>{
               {1, 1}, {1, 33}, {5, 64}, {12, 12}, {13, 100}, {37, 290}, {64, 64}, {33, 1000}}) {
        expect_formula({head_dim, rows, keys, causal}, normal_values(rows * head_dim, 1),
                       normal_values(keys * head_dim, 2), normal_values(keys * head_dim, 3),
                       tolerance(GetParam()));
      }
    }
  }
}

// Scores far apart: the largest alone counts, nothing overflows.
TEST_P(Attention, TakesLargeScores) {
  const Case c{64, 3, 50, false};
  auto k = normal_values(50 * 64, 4);
  for (std::size_t i = 0; i < 64; ++i) k[7 * 64 + i] = 100;
  const std::vector<float> q(3 * 64, 50.0f);
  const auto v = normal_values(50 * 64, 5);
  const auto out = attend(GetParam(), c, q, k, v);
  for (std::size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(out[i], v[7 * 64 + i % 64], 0.02);
}

// Scores that grow from key to key by far: only the last keys count.
TEST_P(Attention, TakesGrowingScores) {
  for (const bool causal : {false, true}) {
    const std::vector<float> q(20 * 64, 1.0f);
    std::vector<float> k(900 * 64);
    for (std::size_t i = 0; i < k.size(); ++i) k[i] = 0.0625f * static_cast<float>(i / 64 / 4);
    // Scores of 112 in f32 are right to 1e-5.
    expect_formula({64, 20, 900, causal}, q, k, normal_values(900 * 64, 6),
                   std::max(1e-4, 2 * tolerance(GetParam())));
  }
}

// Sums of as many equal powers as integers could overflow with, and keys as long as queries.
TEST_P(Attention, TakesManyEqualKeys) {
  const Case c{128, 2, 40000, false};
  const std::vector<float> q(2 * 128, -3.0f), k(40000 * 128, 3.0f);
  std::vector<float> v(40000 * 128, 1.0f);
  expect_formula(c, q, k, v, 4 * tolerance(GetParam()));
  for (std::size_t i = 0; i < v.size(); i += 2) v[i] = -1;
  expect_formula(c, q, k, v, 4 * tolerance(GetParam()));
}

// A key that most look at, of which there is little to see: its length and its values are far from
// those of the others.
TEST_P(Attention, TakesOneKeyApart) {
  const Case c{64, 20, 300, true};
  auto q = normal_values(20 * 64, 7), k = normal_values(300 * 64, 8),
       v = normal_values(300 * 64, 9);
  for (std::size_t i = 0; i < q.size(); i += 64) q[i] = 8;
  for (std::size_t i = 0; i < 64; ++i) {
    k[i] = i == 0 ? 10.0f : 0.0f;
    v[i] *= 0.01f;
  }
  expect_formula(c, q, k, v, tolerance(GetParam()));
}

TEST_P(Attention, TakesZeros) {
  const Case c{64, 3, 50, true};
  const std::vector<float> zeros(50 * 64);
  const auto rows = normal_values(50 * 64, 10);
  const std::vector<float> no_queries(3 * 64);
  expect_formula(c, no_queries, zeros, zeros, 0);
  expect_formula(c, no_queries, zeros, rows, tolerance(GetParam()));
  expect_formula(c, {rows.begin(), rows.begin() + 3 * 64}, rows, zeros, 0);
}

TEST_P(Attention, OfOneRowIsTheFormula) {
  for (const RowCase& c : std::vector<RowCase>{{32, 1, 1, 1, true},
                                               {64, 4, 2, 3, false},
                                               {64, 3, 1, 129, true},
                                               {96, 12, 2, 128, false},
                                               {128, 16, 8, 300, true},
                                               {128, 8, 1, 1001, true},
                                               {512, 7, 1, 20, true}}) {
    const auto size = [&](std::int64_t heads) { return heads * c.head_dim; };
    const auto q = normal_values(size(c.heads), 11);
    auto k = normal_values(c.keys * size(c.key_heads), 12);
    auto v = normal_values(c.keys * size(c.key_heads), 13);
    const std::int64_t row_bytes = size(c.key_heads) * (c.f16 ? 2 : 4) + 32;
    const auto key_rows = stored_rows(c, k, row_bytes), value_rows = stored_rows(c, v, row_bytes);
    const auto out = attend_row(GetParam(), c, q, key_rows, value_rows, row_bytes);
    const auto head_of = [&](const std::vector<float>& rows, std::int64_t head) {
      std::vector<float> one;
      for (std::int64_t key = 0; key < c.keys; ++key) {
        const auto from = rows.begin() + (key * c.key_heads + head) * c.head_dim;
        one.insert(one.end(), from, from + c.head_dim);
      }
      return one;
    };
    for (std::int64_t h = 0; h < c.heads; ++h) {
      const std::int64_t key_head = h / (c.heads / c.key_heads);
      const auto first = q.begin() + h * c.head_dim;
      const auto expected = exact({c.head_dim, 1, c.keys, false}, {first, first + c.head_dim},
                                  head_of(k, key_head), head_of(v, key_head));
      for (std::int64_t i = 0; i < c.head_dim; ++i) {
        ASSERT_NEAR(out[static_cast<std::size_t>(h * c.head_dim + i)],
                    expected[static_cast<std::size_t>(i)], 2e-6)
            << c.head_dim << " " << c.heads << " " << c.key_heads << " " << c.keys;
      }
    }
  }
}

// Scores beyond what e^x holds, the largest in another part than the first.
TEST_P(Attention, OfOneRowTakesLargeScores) {
  const RowCase c{64, 2, 1, 300, true};
  const std::vector<float> q(2 * 64, 50.0f);
  auto k = normal_values(300 * 64, 14), v = normal_values(300 * 64, 15);
  std::fill_n(k.begin() + 200 * 64, 64, 100.0f);
  const auto keys = stored_rows(c, k, 64 * 2), values = stored_rows(c, v, 64 * 2);
  const auto out = attend_row(GetParam(), c, q, keys, values, 64 * 2);
  for (std::size_t i = 0; i < out.size(); ++i) ASSERT_EQ(out[i], v[200 * 64 + i % 64]);
}

INSTANTIATE_TEST_SUITE_P(Levels, Attention, testing::ValuesIn(supported_cpu_levels()),
                         [](const auto& level) { return std::string(to_string(level.param)); });

}  // namespace
}  // namespace tru::tensor
