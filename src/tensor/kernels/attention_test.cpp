#include "tensor/kernels/attention.h"

#include <gmock/gmock.h>

#include <cmath>
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

INSTANTIATE_TEST_SUITE_P(Levels, Attention, testing::ValuesIn(supported_cpu_levels()),
                         [](const auto& level) { return std::string(to_string(level.param)); });

}  // namespace
}  // namespace tru::tensor
