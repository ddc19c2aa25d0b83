#include "tensor/kernels/linear.h"

#include <gmock/gmock.h>

#include <cmath>
#include <memory>
#include <new>
#include <random>
#include <vector>

#include "tensor/kernels/elementwise.h"

namespace tru::tensor {
namespace {

struct Block {
  explicit Block(std::size_t size)
      : bytes(static_cast<std::byte*>(::operator new (size + 1, std::align_val_t{64}))) {}
  ~Block() { ::operator delete (bytes, std::align_val_t{64}); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  std::byte* bytes;
};

std::vector<float> normal_values(std::int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = normal(random);
  return values;
}

// The same, and here and there a channel of all rows as much larger as `factors` say.
std::vector<float> values_with_outliers(std::int64_t count, std::int64_t columns, unsigned seed) {
  std::vector<float> values = normal_values(count * columns, seed);
  constexpr float kFactors[] = {100, 30, 1e4f, 1e6f, 8};
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::int64_t k = 0; 130 * k + 7 < columns; ++k) {
      values[static_cast<std::size_t>(i * columns + 130 * k + 7)] *= kFactors[k % 5];
    }
  }
  return values;
}

// A matrix with its packed form, and with the values that the packed form stands for.
struct Weights {
  Weights(const PackedShape& s, const std::vector<float>& values) : shape(s), packed(s.bytes()) {
    rounded.resize(static_cast<std::size_t>(shape.panels() * kPanelRows * shape.columns));
    for (std::int64_t panel = 0; panel < shape.panels(); ++panel) {
      const std::int64_t first = panel * kPanelRows;
      std::byte* at = packed.bytes + panel * static_cast<std::int64_t>(shape.panel_bytes());
      pack_panel(shape, &values[static_cast<std::size_t>(first * shape.columns)],
                 std::min(kPanelRows, shape.rows - first), at);
      unpack_panel(shape, at, &rounded[static_cast<std::size_t>(first * shape.columns)]);
    }
  }
  PackedShape shape;
  Block packed;
  std::vector<float> rounded;
};

struct Extras {
  const float* bias = nullptr;
  const float* addend = nullptr;
};

std::vector<float> multiply(CpuLevel level, const Weights& w, const std::vector<float>& x,
                            const Extras& extras = {}) {
  const std::int64_t count = static_cast<std::int64_t>(x.size()) / w.shape.columns;
  const LinearKernels& kernels = linear_kernels(level, count);
  const Block block(kernels.quantized_bytes(count, w.shape.columns));
  const QuantizedRows rows = kernels.view(block.bytes, count, w.shape.columns);
  const std::int64_t tiles = rows.tiles();
  // In two parts, as two threads share it.
  QuantizeTask part{.x = {x.data(), w.shape.columns},
                    .columns = w.shape.columns,
                    .out = rows,
                    .end_tile = tiles / 2,
                    .end_span = rows.spans()};
  kernels.quantize(part);
  part.begin_tile = part.end_tile;
  part.end_tile = tiles;
  kernels.quantize(part);
  std::vector<float> y(static_cast<std::size_t>(count * w.shape.rows), NAN);
  LinearTask task{.shape = w.shape,
                  .weights = w.packed.bytes,
                  .inputs = rows,
                  .bias = extras.bias,
                  .addend = extras.addend,
                  .output = {y.data(), w.shape.rows},
                  .end_tile = tiles,
                  .end_panel = w.shape.panels() / 2};
  kernels.multiply(task);
  task.begin_panel = task.end_panel;
  task.end_panel = w.shape.panels();
  kernels.multiply(task);
  return y;
}

std::vector<double> exact_product(const Weights& w, const std::vector<float>& weights,
                                  const std::vector<float>& x) {
  const std::int64_t count = static_cast<std::int64_t>(x.size()) / w.shape.columns;
  std::vector<double> y;
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::int64_t row = 0; row < w.shape.rows; ++row) {
      double sum = 0;
      for (std::int64_t k = 0; k < w.shape.columns; ++k) {
        sum += static_cast<double>(weights[static_cast<std::size_t>(row * w.shape.columns + k)]) *
               static_cast<double>(x[static_cast<std::size_t>(i * w.shape.columns + k)]);
      }
      y.push_back(sum);
    }
  }
  return y;
}

// Size of y - expected, relative to expected.
double relative_error(const std::vector<float>& y, const std::vector<double>& expected) {
  double error = 0, size = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    error += (y[i] - expected[i]) * (y[i] - expected[i]);
    size += expected[i] * expected[i];
  }
  return std::sqrt(error / size);
}

class Linear : public testing::TestWithParam<CpuLevel> {};

// Inputs that 8 bits hold exactly: the product differs from one in double precision by the
// rounding of a few f32 sums.
TEST_P(Linear, IsExactOnWhatItsFormatsHold) {
  std::mt19937 random(1);
  for (const PackedFormat format : {PackedFormat::int8, PackedFormat::int4}) {
    for (const std::int64_t rows : {1, 15, 16, 17, 33, 80}) {
      for (const std::int64_t columns : {1, 3, 63, 64, 65, 200}) {
        const Weights w({format, rows, columns}, normal_values(rows * columns, 2));
        for (const std::int64_t count : {1, 2, 3, 4, 5, 6, 7, 13, 16, 37}) {
          std::vector<float> x(static_cast<std::size_t>(count * columns));
          for (std::size_t i = 0; i < x.size(); ++i) {
            const bool largest = i % static_cast<std::size_t>(columns) % kGroupColumns == 0;
            x[i] = largest ? -127.0f : static_cast<float>(random() % 255) - 127.0f;
          }
          const auto expected = exact_product(w, w.rounded, x);
          const auto y = multiply(GetParam(), w, x);
          for (std::size_t i = 0; i < y.size(); ++i) {
            ASSERT_NEAR(y[i], expected[i], 2e-3) << rows << " x " << columns << " x " << count;
          }
        }
      }
    }
  }
}

// The largest sums there are: nothing saturates, nothing wraps around. int4 weights reach both
// their ends if one of each group is -8/7 of the others.
TEST_P(Linear, TakesExtremeValues) {
  for (const PackedFormat format : {PackedFormat::int8, PackedFormat::int4}) {
    for (const auto& [sign, count] : {std::pair{-1.0f, 6}, {1.0f, 6}, {-1.0f, 19}, {1.0f, 19}}) {
      for (const float weight : {-3.5f, 3.5f}) {
        std::vector<float> weights(16 * 4096, weight);
        for (std::size_t i = 9; format == PackedFormat::int4 && i < weights.size();) {
          weights[i] *= -8.0f / 7;
          i += kGroupColumns;
        }
        const Weights w({format, 16, 4096}, weights);
        const std::vector<float> x(static_cast<std::size_t>(count) * 4096, sign * 5.0f);
        // One group of a span as wide as 16 bits can be.
        std::vector<float> wide(x.size());
        for (std::size_t i = 0; i < wide.size(); ++i) {
          wide[i] = sign * (i % kSpanColumns < kGroupColumns ? 32639.0f : 127.0f);
        }
        for (const auto& inputs : {x, wide}) {
          const auto expected = exact_product(w, weights, inputs);
          EXPECT_LT(relative_error(multiply(GetParam(), w, inputs), expected), 1e-3)
              << static_cast<int>(format);
        }
      }
    }
  }
}

TEST_P(Linear, AddsBiasAndAddend) {
  for (const std::int64_t rows : {16, 21}) {
    const Weights w({PackedFormat::int8, rows, 64}, normal_values(rows * 64, 3));
    const auto x = normal_values(7 * 64, 4);
    const auto bias = normal_values(rows, 5);
    const auto addend = normal_values(7 * rows, 6);
    const auto plain = multiply(GetParam(), w, x);
    const auto y = multiply(GetParam(), w, x, {bias.data(), addend.data()});
    for (std::size_t i = 0; i < y.size(); ++i) {
      const float expected = plain[i] + bias[i % static_cast<std::size_t>(rows)] + addend[i];
      ASSERT_NEAR(y[i], expected, 1e-5);
    }
  }
}

// All levels see the same integers; they may differ by the rounding of f32 sums.
TEST_P(Linear, AgreesWithPlainCode) {
  for (const PackedFormat format : {PackedFormat::int8, PackedFormat::int4}) {
    const Weights w({format, 70, 1000}, normal_values(70 * 1000, 7));
    const auto x = normal_values(11 * 1000, 8);
    const auto plain = multiply(CpuLevel::portable, w, x);
    const auto y = multiply(GetParam(), w, x);
    for (std::size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], plain[i], 2e-4);
    const auto outliers = values_with_outliers(11, 1000, 8);
    const auto plain_outliers = multiply(CpuLevel::portable, w, outliers);
    const auto y_outliers = multiply(GetParam(), w, outliers);
    for (std::size_t i = 0; i < y.size(); ++i) {
      ASSERT_NEAR(y_outliers[i], plain_outliers[i], 1e-6 * 1e6 * 4);  // of the largest terms
    }
  }
}

// Among each other they add up in the same order too.
TEST(LinearLevels, WithVectorsAreEqual) {
  for (const PackedFormat format : {PackedFormat::int8, PackedFormat::int4}) {
    const Weights w({format, 310, 1100}, normal_values(310 * 1100, 15));
    const auto bias = normal_values(310, 17);
    for (const std::int64_t count : {5, 37, 203, 530}) {
      const auto x = values_with_outliers(count, 1100, 16);
      std::vector<float> first;
      for (const CpuLevel level : supported_cpu_levels()) {
        if (level == CpuLevel::portable) continue;
        const auto y = multiply(level, w, x, {bias.data(), nullptr});
        if (first.empty()) first = y;
        EXPECT_EQ(y, first) << to_string(level) << " " << count;
      }
    }
  }
}

// The same values as when a row is alone, to the last bit: a batch equals its members.
TEST_P(Linear, RowsDoNotDependOnTheirNeighbours) {
  const Weights w({PackedFormat::int8, 48, 256}, normal_values(48 * 256, 9));
  auto x = normal_values(19 * 256, 10);
  x[5 * 256 + 9] *= 1000;  // one row has upper bytes, the others not
  const auto all = multiply(GetParam(), w, x);
  for (std::size_t i = 0; i < 19; ++i) {
    const auto at = x.begin() + static_cast<std::ptrdiff_t>(i * 256);
    const auto alone = multiply(GetParam(), w, {at, at + 256});
    for (std::size_t j = 0; j < 48; ++j) ASSERT_EQ(alone[j], all[i * 48 + j]);
  }
}

TEST_P(Linear, RoundsLittle) {
  const auto x = normal_values(4 * 2048, 11);
  const auto weights = normal_values(64 * 2048, 12);
  const Weights int8({PackedFormat::int8, 64, 2048}, weights);
  const Weights int4({PackedFormat::int4, 64, 2048}, weights);
  const auto expected = exact_product(int8, weights, x);
  EXPECT_LT(relative_error(multiply(GetParam(), int8, x), expected), 0.013);
  EXPECT_LT(relative_error(multiply(GetParam(), int4, x), expected), 0.1);
}

// A few input channels a hundred times as large as the others, as language models have them, do not
// coarsen these: their group has 16 bits. Measured: an error of 1 % of the result, and of 2 % (one
// outlier in 2048 channels) or 4 % (one in 512) of what the ordinary channels contribute; with one
// scale for a whole row it would be 9 % of the result, and 25 and 34 % of theirs. With an outlier
// in every group all are alike, and their steps are as coarse as one for a group of its own.
TEST_P(Linear, OutlierChannelsDoNoHarm) {
  constexpr std::int64_t kColumns = 2048;
  const auto weights = normal_values(64 * kColumns, 13);
  const Weights int8({PackedFormat::int8, 64, kColumns}, weights);
  for (const std::int64_t distance : {2048, 512, 64}) {
    auto x = normal_values(9 * kColumns, 14);
    std::vector<float> ordinary = x;
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (i % static_cast<std::size_t>(distance) != 5) continue;
      x[i] *= 100;
      ordinary[i] = 0;
    }
    const auto expected = exact_product(int8, weights, x);
    const auto y = multiply(GetParam(), int8, x);
    EXPECT_LT(relative_error(y, expected), distance < 512 ? 0.026 : 0.011) << "one in " << distance;
    // What the other channels contribute is not drowned by the error either.
    if (distance < 512) continue;
    const auto small = exact_product(int8, weights, ordinary);
    double error = 0, size = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
      error += (y[i] - expected[i]) * (y[i] - expected[i]);
      size += small[i] * small[i];
    }
    EXPECT_LT(std::sqrt(error / size), 0.045) << "one in " << distance;
  }
}

// Inputs of a quantise call and, by the formulas, what it quantises.
struct QuantizeCase {
  QuantizeCase(Prologue p, std::int64_t count, std::int64_t columns)
      : x(normal_values(count * columns, 20)),
        second(normal_values(count * columns, 21)),
        bias(normal_values(columns, 22)) {
    constexpr double kEpsilon = 1e-6;
    for (std::int64_t row = 0; row < count; ++row) {
      double sum = 0, squares = 0;
      for (std::int64_t i = 0; i < columns; ++i) sum += at(x, row * columns + i);
      const double mean = p == Prologue::layer_norm ? sum / static_cast<double>(columns) : 0;
      for (std::int64_t i = 0; i < columns; ++i) {
        squares += std::pow(at(x, row * columns + i) - mean, 2);
      }
      const double norm = std::sqrt(squares / static_cast<double>(columns) + kEpsilon);
      for (std::int64_t i = 0; i < columns; ++i) {
        const double v = at(x, row * columns + i);
        switch (p) {
          case Prologue::none:
            expected.push_back(v);
            break;
          case Prologue::gelu_tanh:
            expected.push_back(gelu_tanh_reference(v));
            break;
          case Prologue::gelu_erf:
            expected.push_back(gelu_erf_reference(v));
            break;
          case Prologue::swiglu:
            expected.push_back(v / (1 + std::exp(-v)) * at(second, row * columns + i));
            break;
          case Prologue::layer_norm:
            expected.push_back((v - mean) / norm * at(second, i) + at(bias, i));
            break;
          case Prologue::rms_norm:
            expected.push_back(v / norm * at(second, i));
            break;
        }
      }
    }
  }
  static double at(const std::vector<float>& values, std::int64_t i) {
    return values[static_cast<std::size_t>(i)];
  }
  std::vector<float> x, second, bias;
  std::vector<double> expected;
};

// What graphs do with the inner layers of MLPs: some channels of some rows into memory that has
// room for no more, and from there, quantised, to their place.
TEST_P(Linear, PartsAreLikeTheWhole) {
  constexpr std::int64_t kChannels = 600, kColumns = 130;
  const Weights w({PackedFormat::int8, kChannels, kColumns},
                  normal_values(kChannels * kColumns, 31));
  for (const std::int64_t count : {1, 7, 50}) {
    const auto x = normal_values(count * kColumns, 32);
    const auto whole = multiply(GetParam(), w, x);
    const LinearKernels& kernels = linear_kernels(GetParam(), count);
    const Block input_block(kernels.quantized_bytes(count, kColumns));
    const QuantizedRows inputs = kernels.view(input_block.bytes, count, kColumns);
    const Block blocks[] = {Block(kernels.quantized_bytes(count, kChannels)),
                            Block(kernels.quantized_bytes(count, kChannels))};
    const QuantizedRows outputs[] = {kernels.view(blocks[0].bytes, count, kChannels),
                                     kernels.view(blocks[1].bytes, count, kChannels)};
    const std::int64_t tiles = inputs.tiles();
    kernels.quantize({.x = {x.data(), kColumns},
                      .columns = kColumns,
                      .out = inputs,
                      .end_tile = tiles,
                      .end_span = inputs.spans()});
    kernels.quantize({.x = {whole.data(), kChannels},
                      .columns = kChannels,
                      .prologue = Prologue::gelu_tanh,
                      .out = outputs[0],
                      .end_tile = tiles,
                      .end_span = outputs[0].spans()});
    for (std::int64_t span = 0; span < outputs[1].spans(); ++span) {
      for (std::int64_t tile = 0; tile < tiles; tile += 2) {
        const std::int64_t end_tile = std::min(tiles, tile + 2);
        const std::int64_t first_row = tile * kernels.tile_rows;
        const std::int64_t first_channel = span * kSpanColumns;
        std::vector<float> part(static_cast<std::size_t>(2 * kernels.tile_rows * kSpanColumns));
        kernels.multiply(
            {.shape = w.shape,
             .weights = w.packed.bytes,
             .inputs = inputs,
             .output = {part.data(), kSpanColumns, first_row, first_channel},
             .read_soon = true,
             .begin_tile = tile,
             .end_tile = end_tile,
             .begin_panel = first_channel / kPanelRows,
             .end_panel = std::min(w.shape.panels(), (first_channel + kSpanColumns) / kPanelRows)});
        kernels.quantize({.x = {part.data(), kSpanColumns, first_row, first_channel},
                          .columns = kChannels,
                          .prologue = Prologue::gelu_tanh,
                          .out = outputs[1],
                          .begin_tile = tile,
                          .end_tile = end_tile,
                          .begin_span = span,
                          .end_span = span + 1});
      }
    }
    std::vector<float> expected(kChannels), actual(kChannels);
    for (std::int64_t row = 0; row < count; ++row) {
      dequantize(outputs[0], row, kChannels, expected.data());
      dequantize(outputs[1], row, kChannels, actual.data());
      EXPECT_EQ(actual, expected) << count << " rows, row " << row;
    }
  }
}

// Each value within half a step, whatever is computed on the way.
TEST_P(Linear, QuantisesWhatThePrologueSays) {
  for (const Prologue prologue : {Prologue::none, Prologue::gelu_tanh, Prologue::gelu_erf,
                                  Prologue::swiglu, Prologue::layer_norm, Prologue::rms_norm}) {
    for (const std::int64_t columns : {1, 63, 64, 65, 200, 600}) {
      for (const std::int64_t count : {1, 5, 6, 7, 13, 33}) {
        const QuantizeCase c(prologue, count, columns);
        const LinearKernels& kernels = linear_kernels(GetParam(), count);
        const Block block(kernels.quantized_bytes(count, columns));
        const QuantizedRows rows = kernels.view(block.bytes, count, columns);
        kernels.quantize({.x = {c.x.data(), columns},
                          .columns = columns,
                          .prologue = prologue,
                          .second = c.second.data(),
                          .bias = c.bias.data(),
                          .epsilon = 1e-6f,
                          .out = rows,
                          .end_tile = rows.tiles(),
                          .end_span = rows.spans()});
        std::vector<float> y(static_cast<std::size_t>(columns));
        for (std::int64_t row = 0; row < count; ++row) {
          dequantize(rows, row, columns, y.data());
          for (std::int64_t first = 0; first < columns; first += kSpanColumns) {
            const std::int64_t end = std::min(columns, first + kSpanColumns);
            double largest = 0;
            for (std::int64_t i = first; i < end; ++i) {
              largest = std::max(
                  largest, std::fabs(c.expected[static_cast<std::size_t>(row * columns + i)]));
            }
            for (std::int64_t i = first; i < end; ++i) {
              ASSERT_NEAR(y[static_cast<std::size_t>(i)],
                          c.expected[static_cast<std::size_t>(row * columns + i)],
                          largest * 0.501 / 127 + 1e-6)
                  << static_cast<int>(prologue) << ": " << count << " x " << columns;
            }
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, Linear, testing::ValuesIn(supported_cpu_levels()),
                         [](const auto& level) { return std::string(to_string(level.param)); });

}  // namespace
}  // namespace tru::tensor
