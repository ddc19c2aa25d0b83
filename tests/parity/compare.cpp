#include "compare.h"

#include <algorithm>
#include <cmath>

#include "media/test_media.h"

namespace tru::parity {
namespace {

namespace json = boost::json;

constexpr double kFeatureTolerance = 0.002;
// Recorded with six decimals: half a unit of the last one, and what float32 means add to it.
constexpr double kPrintedTolerance = 6e-7;
constexpr double kMeanTolerance = 2e-6;

template <typename T>
void expect_same(const json::object& golden, const char* name, const T& ours, Comparison& result) {
  const json::value* recorded = golden.if_contains(name);
  const T theirs = recorded == nullptr || recorded->is_null() ? T() : json::value_to<T>(*recorded);
  if (ours != theirs) {
    result.differences.push_back(fmt::format("{}: {}, golden {}", name,
                                             json::serialize(json::value_from(ours)),
                                             json::serialize(json::value_from(theirs))));
  }
}

void expect_near(const std::string& what, double ours, double theirs, double tolerance,
                 double& largest, Comparison& result) {
  const double error = std::abs(ours - theirs);
  largest = std::max(largest, error);
  // Also true for NaN.
  if (!(error <= tolerance)) {
    result.differences.push_back(fmt::format("{}: {}, golden {}", what, ours, theirs));
  }
}

struct Statistics {
  double mean = 0, std = 0, min = 0, max = 0, rms = 0;
};

Statistics statistics_of(const std::vector<float>& values) {
  Statistics s;
  const auto count = static_cast<double>(values.size());
  double square = 0;
  for (const float x : values) {
    s.mean += x / count;
    square += double{x} * x / count;
  }
  for (const float x : values) s.std += (x - s.mean) * (x - s.mean) / (count - 1);
  s.std = std::sqrt(s.std);
  s.rms = std::sqrt(square);
  const auto [min, max] = std::minmax_element(values.begin(), values.end());
  s.min = *min;
  s.max = *max;
  return s;
}

struct ValueTolerance {
  double value = 0;       // of a single one
  double statistics = 0;  // of mean, standard deviation and root mean square
};

// `recorded`: shape, statistics, and single values by flat index.
void compare_values(const std::string& what, const std::vector<float>& ours,
                    const json::value& recorded, const ValueTolerance& tolerance, double& largest,
                    Comparison& result) {
  const auto shape = json::value_to<std::vector<std::size_t>>(recorded.at("shape"));
  if (ours.empty() || ours.size() != shape.at(0) * shape.at(1)) {
    result.differences.push_back(
        fmt::format("{}: {} values, golden {} x {}", what, ours.size(), shape.at(0), shape.at(1)));
    return;
  }
  const auto number = [&](const char* name) { return recorded.at(name).to_number<double>(); };
  const Statistics s = statistics_of(ours);
  const double rms = number("norm") / std::sqrt(static_cast<double>(ours.size()));
  double unlisted = 0;
  expect_near(what + " mean", s.mean, number("mean"), tolerance.statistics, unlisted, result);
  expect_near(what + " std", s.std, number("std"), tolerance.statistics, unlisted, result);
  expect_near(what + " rms", s.rms, rms, tolerance.statistics, unlisted, result);
  expect_near(what + " min", s.min, number("min"), tolerance.value, largest, result);
  expect_near(what + " max", s.max, number("max"), tolerance.value, largest, result);
  const json::array& index = recorded.at("samples").at("index").as_array();
  const json::array& value = recorded.at("samples").at("value").as_array();
  for (std::size_t i = 0; i < index.size(); ++i) {
    const auto flat = index[i].to_number<std::size_t>();
    expect_near(fmt::format("{} [{}]", what, flat), ours.at(flat), value[i].to_number<double>(),
                tolerance.value, largest, result);
  }
}

void compare_positions(const json::value& recorded, const Stages& stages, Comparison& result) {
  const auto& axes = stages.positions.axes;
  std::vector<std::uint8_t> bytes;
  std::array<std::vector<std::int32_t>, 3> first, last;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    for (const std::int32_t position : axes[axis]) {
      for (int shift = 0; shift < 32; shift += 8) {
        bytes.push_back(static_cast<std::uint8_t>(position >> shift));
      }
    }
    first[axis].assign(axes[axis].begin(), axes[axis].begin() + 8);
    last[axis].assign(axes[axis].end() - 8, axes[axis].end());
  }
  const json::object& golden = recorded.as_object();
  expect_same(golden, "shape", std::vector<std::size_t>{3, stages.positions.size()}, result);
  expect_same(golden, "first8", first, result);
  expect_same(golden, "last8", last, result);
  expect_same(golden, "sha256_int32_le", media::sha256(bytes), result);
  expect_same(golden, "rope_delta",
              stages.next_position - static_cast<std::int64_t>(stages.positions.size()), result);
}

void compare_visual(const char* kind, const json::value& pixels, const json::value& features,
                    const Visual& visual, Comparison& result) {
  const std::string name = kind;
  compare_values(name + " pixel values", visual.patches, pixels,
                 {kPrintedTolerance, kMeanTolerance}, result.pixel_values, result);
  constexpr ValueTolerance kFeatures{kFeatureTolerance, kFeatureTolerance};
  compare_values(name + " features", visual.merged, features.at("merged"), kFeatures, result.vision,
                 result);
  const json::array& deepstack = features.at("deepstack").as_array();
  if (deepstack.size() != visual.deepstack.size()) {
    result.differences.push_back(
        fmt::format("{} deepstack features, golden {}", visual.deepstack.size(), deepstack.size()));
    return;
  }
  for (std::size_t i = 0; i < deepstack.size(); ++i) {
    compare_values(fmt::format("{} deepstack {}", name, i), visual.deepstack[i], deepstack[i],
                   kFeatures, result.deepstack, result);
  }
}

void compare_first_token(const json::value& recorded, const backend::OutputToken& token,
                         const AnswerTolerance& tolerance, Comparison& result) {
  const auto ids = json::value_to<std::vector<std::int32_t>>(recorded.at("ids"));
  const auto logprobs = json::value_to<std::vector<double>>(recorded.at("logprobs"));
  std::size_t listed = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto& ours = token.top_logprobs;
    const auto found = std::find_if(ours.begin(), ours.end(),
                                    [&](const auto& other) { return other.id == ids[i]; });
    if (found == ours.end()) continue;
    ++listed;
    expect_near(fmt::format("logprob of {}", ids[i]), found->logprob, logprobs[i],
                tolerance.logprobs, result.logprobs, result);
  }
  if (listed < tolerance.least_listed) {
    result.differences.push_back(fmt::format("{} of the golden's top 20 are listed", listed));
  }
}

}  // namespace

AnswerTolerance tolerance_16bit(const json::object& golden) {
  const double effect =
      golden.at("sensitivity").at("bf16_eager").at("max_abs_top20").to_number<double>() * 1.5;
  return {0.02 + effect, 0.05 + 2 * effect, 0.02 + 2 * effect, 10};
}

void compare_stages(const json::object& golden, const Stages& stages, Comparison& result) {
  using text::PartKind;
  const auto grids = [&](PartKind kind) {
    const auto found = stages.grid_thw.find(kind);
    return found == stages.grid_thw.end() ? std::vector<std::vector<int>>() : found->second;
  };
  expect_same(golden, "video_grid_thw", grids(PartKind::video), result);
  expect_same(golden, "image_grid_thw", grids(PartKind::image), result);
  expect_same(golden, "resized_hw", stages.resized_hw, result);
  expect_same(golden, "timestamps_text", stages.timestamps_text, result);
  expect_same(golden, "prompt_token_ids", stages.prompt_token_ids, result);
  if (const json::value* hf = golden.if_contains("hf"); hf != nullptr && hf->is_object()) {
    expect_same(hf->get_object(), "frames_indices", stages.frames_indices, result);
  }
  compare_positions(golden.at("position_ids"), stages, result);
  for (const auto& [kind, visual] : stages.visual) {
    const bool video = kind == PartKind::video;
    compare_visual(video ? "video" : "image",
                   golden.at(video ? "pixel_values_videos" : "pixel_values"),
                   golden.at("vision").at(video ? "video" : "image"), visual, result);
  }
}

void compare_answer(const json::object& golden, const backend::Generation& answer,
                    const AnswerTolerance& tolerance, Comparison& result) {
  expect_same(golden, "prompt_token_ids", answer.prompt_token_ids, result);
  const json::value& greedy = golden.at("greedy");
  const auto wanted = json::value_to<std::vector<std::int32_t>>(greedy.at("ids"));
  const auto logprobs = json::value_to<std::vector<double>>(greedy.at("logprobs"));
  const auto margins = json::value_to<std::vector<double>>(greedy.at("margins"));
  const auto& tokens = answer.tokens;
  if (tokens.empty()) {
    result.differences.emplace_back("no tokens");
    return;
  }
  compare_first_token(golden.at("first_token_top20"), tokens[0], tolerance, result);
  std::size_t same = 0;
  while (same < std::min(tokens.size(), wanted.size()) && tokens[same].id == wanted[same]) {
    expect_near(fmt::format("logprob of token {}", same), tokens[same].logprob, logprobs[same],
                tolerance.chosen_logprobs, result.chosen_logprobs, result);
    ++same;
  }
  result.tokens = same;
  result.tokens_wanted = wanted.size();
  if (same == wanted.size()) {
    if (tokens.size() > wanted.size()) result.differences.emplace_back("too many tokens");
    expect_same(greedy.as_object(), "finish_reason", answer.finish_reason, result);
  } else if (same == tokens.size() || margins[same] >= tolerance.near_tie) {
    result.differences.push_back(
        fmt::format("tokens part at {}, where the margin is {}", same, margins[same]));
  }
}

void compare_sure_tokens(const json::object& golden, const std::vector<std::int32_t>& chosen,
                         Comparison& result) {
  const json::value& greedy = golden.at("greedy");
  const auto wanted = json::value_to<std::vector<std::int32_t>>(greedy.at("ids"));
  const auto margins = json::value_to<std::vector<double>>(greedy.at("margins"));
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (margins[i] <= 0.5) continue;
    ++result.tokens_wanted;
    if (chosen[i] == wanted[i]) {
      ++result.tokens;
    } else {
      result.differences.push_back(fmt::format("token {} where the margin is {}", i, margins[i]));
    }
  }
}

}  // namespace tru::parity
