#include <sys/resource.h>

#include <algorithm>
#include <boost/json.hpp>
#include <fstream>
#include <functional>
#include <map>
#include <random>
#include <sstream>

#include "app/commands.h"
#include "app/exit_code.h"
#include "app/progress.h"
#include "base/json_text.h"
#include "base/stopwatch.h"
#include "media/resize.h"
#include "model/qwen3vl/cost.h"
#include "pipeline/answer_video.h"
#include "tensor/roofline.h"

namespace tru::app {
namespace {

namespace json = boost::json;
namespace qwen3vl = model::qwen3vl;

// What the machine does at best: products by number format of the weights, and reading.
struct Peaks {
  double gemm_f32_gflops = 0;
  double gemm_bf16_gflops = 0;
  double gemm_int8_gops = 0;
  double gemm_int4_gops = 0;
  double read_gb_per_s = 0;
};

struct StageSpeed {
  std::string name;
  double value = 0;
  std::string unit;
  // GOPS of products and attention, for vision and prefill; GB/s of weights read, for generate.
  std::optional<double> rate{};
  std::optional<double> share_of_peak{};  // rate: of the product rate, or of the read rate
  std::optional<double> before{};         // value in the file of --compare
};

constexpr std::size_t kMostRuns = 3;
constexpr double kEnoughMs = 10'000;

// Of several runs, or of one that takes so long that hiccups are lost in it.
template <typename Run>
Result<double> median_ms(const Run& run) {
  std::vector<double> times;
  const Stopwatch all;
  while (times.size() < kMostRuns && (times.empty() || all.elapsed_ms() < kEnoughMs)) {
    const Stopwatch watch;
    TRU_CHECK(run());
    times.push_back(watch.elapsed_ms());
  }
  std::sort(times.begin(), times.end());
  return times[(times.size() - 1) / 2];
}

// Says on stderr what is being measured: on a slow machine a stage takes minutes.
void announce(std::string_view what) {
  fmt::print(stderr, "measuring {}\n", what);
}

Result<Peaks> measure_peaks(tensor::Device& device) {
  Peaks peaks;
  const auto type = [&](weights::WeightFormat format) {
    return weights::matrix_type(format, weights::Dtype::f32, device);
  };
  TRU_TRY(peaks.gemm_f32_gflops,
          tensor::measure_gemm_gflops(device, type(weights::WeightFormat::f32)));
  TRU_TRY(peaks.gemm_bf16_gflops,
          tensor::measure_gemm_gflops(device, type(weights::WeightFormat::bf16)));
  TRU_TRY(peaks.gemm_int8_gops,
          tensor::measure_gemm_gflops(device, type(weights::WeightFormat::int8)));
  TRU_TRY(peaks.gemm_int4_gops,
          tensor::measure_gemm_gflops(device, type(weights::WeightFormat::int4)));
  peaks.read_gb_per_s = tensor::measure_read_gb_per_s(device.threads());
  return peaks;
}

// What is measured, with everything it is measured on.
struct Bench {
  backend::NativeBackend& backend;
  const pipeline::Question& question;
  const pipeline::VideoDefaults& defaults;
  const pipeline::PlannedQuestion& planned;
  Peaks peaks;
  double peak_gops;         // of products in the number format of the language model's weights
  double vision_peak_gops;  // of the vision encoder's
  std::stop_token stop;
};

Result<StageSpeed> bench_decode(const Bench& bench) {
  TRU_TRY(const double ms, median_ms([&]() -> Status {
            const auto frames =
                media::decode_frames(*bench.planned.media[0].video, *bench.planned.plans[0].video);
            while (true) {
              TRU_TRY(const auto pair, frames->next(bench.stop));
              if (!pair) return {};
            }
          }));
  const auto frames = static_cast<double>(bench.planned.plans[0].video->frames.size());
  return StageSpeed{"decode", frames / ms * 1000, "frames/s"};
}

Result<StageSpeed> bench_resize(const Bench& bench) {
  const media::VideoInfo& info = bench.planned.media[0].video->info();
  const RgbFrame source{info.width, info.height,
                        std::vector<std::uint8_t>(3 * static_cast<std::size_t>(info.width) *
                                                  static_cast<std::size_t>(info.height))};
  // Half as large on each side: a copy would be no work.
  const media::FrameSize half{std::max(1, info.width / 2), std::max(1, info.height / 2)};
  TRU_TRY(const double ms, median_ms([&]() -> Status {
            RgbFrame frame = source;
            media::resize_bicubic(std::move(frame), half);
            return {};
          }));
  const double megapixels = 1e-6 * info.width * info.height;
  return StageSpeed{"resize", megapixels / ms * 1000, "megapixels/s"};
}

StageSpeed product_stage(std::string name, double tokens, double ms, double flop,
                         double peak_gops) {
  const double gops = flop / ms * 1e-6;
  return {std::move(name), tokens / ms * 1000, "tokens/s", gops, gops / peak_gops};
}

Result<StageSpeed> bench_vision(const Bench& bench) {
  qwen3vl::Model& model = bench.backend.model();
  const auto thw = bench.planned.plans[0].video->grid_thw;
  // As many frames at once as a prefill step takes.
  const std::int64_t area =
      model.patch_shape().spatial_merge_size * model.patch_shape().spatial_merge_size;
  const std::int64_t frame_tokens = thw[1] * thw[2] / area;
  const std::int64_t t =
      std::clamp<std::int64_t>(qwen3vl::kPrefillTokens / frame_tokens + 1, 1, thw[0]);
  const qwen3vl::GridTHW grid{t, thw[1], thw[2]};
  const std::vector<float> patches(
      static_cast<std::size_t>(grid.patches() * model.patch_shape().row_size()), 0.25f);
  TRU_TRY(const double ms, median_ms([&]() -> Status {
            TRU_CHECK(model.vision().encode(grid, patches, bench.stop));
            return {};
          }));
  const double flop = qwen3vl::vision_flop(model.config().vision, grid);
  const double tokens = static_cast<double>(grid.patches() / area);
  return product_stage("vision", tokens, ms, flop, bench.vision_peak_gops);
}

// A batch of random ordinary tokens behind `past` others.
struct RandomBatch {
  std::vector<std::int32_t> ids;
  qwen3vl::Positions positions;
  qwen3vl::Batch batch;

  RandomBatch(int vocab_size, std::int64_t past, std::int64_t count) {
    std::mt19937 random(static_cast<unsigned>(past));
    std::uniform_int_distribution<std::int32_t> any(0, vocab_size - 1);
    for (std::int64_t i = 0; i < count; ++i) {
      ids.push_back(any(random));
      for (auto& axis : positions.axes) axis.push_back(static_cast<std::int32_t>(past + i));
    }
    batch = {ids, &positions, {}, past, true};
  }
};

// A cache with room for `tokens`, and a way to run random tokens through the model.
struct LanguageRun {
  const Bench& bench;
  model::KvCache cache;

  static Result<LanguageRun> create(const Bench& bench, std::int64_t tokens) {
    TRU_TRY(model::KvCache cache, model::KvCache::create(bench.backend.model().kv_shape(), tokens,
                                                         bench.backend.planner().device()));
    return LanguageRun{bench, std::move(cache)};
  }

  // `tokens` tokens into an empty cache, `batch` at a time. The time is the median's.
  Result<double> run(std::int64_t tokens, std::int64_t batch) {
    qwen3vl::Model& model = bench.backend.model();
    return median_ms([&]() -> Status {
      for (std::int64_t past = 0; past < tokens; past += batch) {
        const RandomBatch random(model.config().text.vocab_size, past,
                                 std::min(batch, tokens - past));
        TRU_CHECK(model.language().forward(random.batch, cache, bench.stop));
      }
      return {};
    });
  }
};

Result<StageSpeed> bench_prefill(const Bench& bench, std::int64_t tokens) {
  TRU_TRY(LanguageRun language, LanguageRun::create(bench, tokens));
  TRU_TRY(const double ms, language.run(tokens, qwen3vl::kPrefillTokens));
  const double flop = qwen3vl::prefill_flop(bench.backend.model().config().text, tokens);
  return product_stage("prefill", static_cast<double>(tokens), ms, flop, bench.peak_gops);
}

Result<StageSpeed> bench_generate(const Bench& bench, std::int64_t tokens) {
  TRU_TRY(LanguageRun language, LanguageRun::create(bench, tokens));
  TRU_TRY(const double ms, language.run(tokens, 1));
  const double tokens_per_s = static_cast<double>(tokens) / ms * 1000;
  const double bytes =
      qwen3vl::bytes_per_generated_token(bench.backend.model().config().text,
                                         bench.backend.planner().matrix_type().bytes_per_weight());
  const double gb_per_s = tokens_per_s * bytes * 1e-9;
  return StageSpeed{"generate", tokens_per_s, "tokens/s", gb_per_s,
                    gb_per_s / bench.peaks.read_gb_per_s};
}

Result<StageSpeed> bench_first_token(const Bench& bench) {
  Progress progress(true, false);
  TRU_TRY(const pipeline::Answer answer,
          pipeline::answer_video(bench.question, bench.defaults, fetch::Fetcher(), bench.backend,
                                 progress, bench.stop));
  progress.clear();
  return StageSpeed{"first_token", answer.timings.first_token_ms / 1000, "s"};
}

// The most that the process has held, mapped weights that were read included.
Result<StageSpeed> bench_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return StageSpeed{"memory", static_cast<double>(usage.ru_maxrss) / 1024, "MiB"};
}

Result<std::vector<StageSpeed>> run_stages(const Bench& bench, const BenchOptions& options) {
  using Stage = std::pair<std::string_view, std::function<Result<StageSpeed>()>>;
  const Stage all[] = {
      {"decode", [&] { return bench_decode(bench); }},
      {"resize", [&] { return bench_resize(bench); }},
      {"vision", [&] { return bench_vision(bench); }},
      {"prefill", [&] { return bench_prefill(bench, options.prompt_tokens); }},
      {"generate", [&] { return bench_generate(bench, options.generated_tokens); }},
      {"first_token", [&] { return bench_first_token(bench); }},
      {"memory", [] { return bench_memory(); }}};
  const auto& wanted = options.stages;
  std::vector<StageSpeed> stages;
  for (const auto& [name, run] : all) {
    const bool skip = std::find(wanted.begin(), wanted.end(), name) == wanted.end();
    if (!wanted.empty() && skip) continue;
    if (name != "memory") announce(name);
    TRU_TRY(StageSpeed stage, run());
    stages.push_back(std::move(stage));
  }
  return stages;
}

void print_json(const tensor::Device& device, const Peaks& peaks,
                const std::vector<StageSpeed>& stages) {
  json::array list;
  for (const StageSpeed& stage : stages) {
    list.push_back(json::object{{"name", stage.name},
                                {"value", stage.value},
                                {"unit", stage.unit},
                                {"rate", json::value_from(stage.rate)},
                                {"share_of_peak", json::value_from(stage.share_of_peak)},
                                {"before", json::value_from(stage.before)}});
  }
  const tensor::DeviceInfo info = device.info();
  const json::object object = {{"machine",
                                {{"device", info.name},
                                 {"description", info.description},
                                 {"features", device.features()},
                                 {"threads", device.threads()},
                                 {"memory_bytes", info.memory_total_bytes}}},
                               {"peaks",
                                {{"gemm_f32_gflops", peaks.gemm_f32_gflops},
                                 {"gemm_bf16_gflops", peaks.gemm_bf16_gflops},
                                 {"gemm_int8_gops", peaks.gemm_int8_gops},
                                 {"gemm_int4_gops", peaks.gemm_int4_gops},
                                 {"read_gb_per_s", peaks.read_gb_per_s}}},
                               {"stages", std::move(list)}};
  fmt::print("{}\n", to_json_text(object));
}

void print_table(const tensor::Device& device, const Peaks& peaks,
                 const std::vector<StageSpeed>& stages) {
  fmt::print("{}, {} threads\n{}\n\n", device.info().description, device.threads(),
             device.features());
  fmt::print(
      "peaks of products: f32 {:.0f} GFLOP/s, bf16 {:.0f}, int8 {:.0f}, int4 {:.0f}; "
      "reading {:.1f} GB/s\n\n",
      peaks.gemm_f32_gflops, peaks.gemm_bf16_gflops, peaks.gemm_int8_gops, peaks.gemm_int4_gops,
      peaks.read_gb_per_s);
  fmt::print("{:<12}{:>12} {:<14}{:>12}  {:<10}{}\n", "stage", "value", "", "GOPS, GB/s", "of peak",
             "value / before");
  for (const StageSpeed& stage : stages) {
    const auto shown = [](std::optional<double> value, double factor, const char* unit) {
      return value ? fmt::format("{:.0f}{}", *value * factor, unit) : std::string();
    };
    fmt::print("{:<12}{:>12.1f} {:<14}{:>12}  {:<10}{}\n", stage.name, stage.value, stage.unit,
               shown(stage.rate, 1, ""), shown(stage.share_of_peak, 100, " %"),
               stage.before ? fmt::format("{:.2f}", stage.value / *stage.before) : "");
  }
}

// The stages' values in a file that an earlier run wrote; no path: none. Error: invalid_argument.
Result<std::map<std::string, double>> read_values(const std::string& path) {
  std::map<std::string, double> values;
  if (path.empty()) return values;
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  boost::system::error_code error;
  const json::value document = json::parse(text.str(), error);
  const json::value* list = error ? nullptr : document.find_pointer("/stages", error);
  if (list == nullptr || !list->is_array()) {
    return fail(ErrorCode::invalid_argument, "{} is not what `tru bench --json` writes", path);
  }
  for (const json::value& row : list->get_array()) {
    const json::value* name = row.find_pointer("/name", error);
    const json::value* value = row.find_pointer("/value", error);
    if (name == nullptr || !name->is_string() || value == nullptr || !value->is_number()) continue;
    values.emplace(name->get_string(), value->to_number<double>());
  }
  return values;
}

Status run(const BenchOptions& options, std::stop_token stop) {
  TRU_TRY(Settings settings, read_settings(options.settings));
  TRU_TRY(const pipeline::VideoRequest video, video_request(options.video));
  TRU_TRY(const backend::NativeConfig config, native_config(settings));
  TRU_TRY(const auto before, read_values(options.compare));
  const Stopwatch load_watch;
  TRU_TRY(const auto backend, backend::NativeBackend::load(config));
  const StageSpeed load{"load", load_watch.elapsed_ms(), "ms"};

  pipeline::Question question;
  question.media = {{text::PartKind::video, options.clip}};
  question.messages = {
      {"user",
       {{text::PartKind::video, "", 0}, {text::PartKind::text, "Describe this video.", 0}}}};
  question.video = video;
  question.generation = settings.generation;
  question.generation.max_tokens = 1;
  Progress progress(true, false);
  TRU_TRY(const auto files,
          pipeline::fetch_media(question.media, fetch::Fetcher(), progress, stop));
  TRU_TRY(const auto planned, pipeline::plan_question(question, files, settings.video, *backend));
  tensor::Device& device = backend->planner().device();
  announce("this machine's peaks");
  TRU_TRY(const Peaks peaks, measure_peaks(device));
  TRU_TRY(const double peak_gops,
          tensor::measure_gemm_gflops(device, backend->planner().matrix_type()));
  TRU_TRY(const double vision_peak_gops,
          tensor::measure_gemm_gflops(device, backend->planner().vision_matrix_type()));
  const Bench bench{*backend, question,  settings.video,   planned,
                    peaks,    peak_gops, vision_peak_gops, stop};
  TRU_TRY(auto stages, run_stages(bench, options));
  stages.insert(stages.begin(), load);
  for (StageSpeed& stage : stages) {
    const auto found = before.find(stage.name);
    if (found != before.end()) stage.before = found->second;
  }
  options.json ? print_json(device, peaks, stages) : print_table(device, peaks, stages);
  return {};
}

}  // namespace

int bench(const BenchOptions& options, std::stop_token stop) {
  const Status status = run(options, stop);
  return status ? kOk : report(status.error());
}

}  // namespace tru::app
