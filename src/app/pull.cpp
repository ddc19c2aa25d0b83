#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <fstream>
#include <optional>

#include "app/commands.h"
#include "app/exit_code.h"
#include "app/progress.h"
#include "base/gguf_choice.h"
#include "base/stopwatch.h"
#include "fetch/hub.h"
#include "weights/config.h"
#include "weights/gguf_model.h"
#include "weights/model_dir.h"

namespace tru::app {
namespace {

namespace fs = std::filesystem;

std::string format_bytes(std::int64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (value < 1e6) return fmt::format("{:.1f} kB", value / 1e3);
  if (value < 1e9) return fmt::format("{:.1f} MB", value / 1e6);
  return fmt::format("{:.2f} GB", value / 1e9);
}

// On a terminal one bar with speed and time left; else a line per file.
class PullProgress : public fetch::PullListener {
 public:
  PullProgress(bool show, bool has_tag)
      : show_(show), has_tag_(has_tag), terminal_(show && isatty(STDERR_FILENO) != 0) {}
  ~PullProgress() override { clear(); }

  void on_choice(const std::string& text, const std::string& mmproj,
                 const std::vector<std::string>& others) override {
    if (!show_) return;
    fmt::print(stderr, "chosen: {}, with {}\n", text, mmproj);
    if (has_tag_ || others.empty()) return;
    fmt::print(stderr, "by a tag, such as :Q8_0, there are: {}\n", fmt::join(others, ", "));
  }

  void on_plan(int, std::int64_t bytes) override { total_ += bytes; }

  void on_bytes(std::int64_t bytes, std::int64_t fetched) override {
    done_ += bytes;
    fetched_ += fetched;
    if (terminal_ && since_draw_.elapsed_ms() >= kRedrawMs) draw();
  }

  void on_file(const std::string& name, std::int64_t bytes, double seconds) override {
    if (!show_) return;
    clear();
    fmt::print(stderr, "{}: {}, {:.1f} s\n", name, format_bytes(bytes), seconds);
  }

  void on_retry(const std::string& name, const std::string& why) override {
    if (!show_) return;
    clear();
    fmt::print(stderr, "{}: trying again: {}\n", name, why);
  }

  void clear() {
    if (std::exchange(drawn_, false)) fmt::print(stderr, "\r\x1b[K");
  }

 private:
  static constexpr double kRedrawMs = 200;
  static constexpr int kWidth = 30;
  static constexpr double kNewest = 0.2;  // weight of the last interval in the speed

  void draw() {
    const double seconds = since_draw_.elapsed_ms() / 1000;
    const double now = static_cast<double>(fetched_ - fetched_at_draw_) / seconds;
    speed_ = speed_ ? (1 - kNewest) * *speed_ + kNewest * now : now;
    fetched_at_draw_ = fetched_;
    since_draw_ = Stopwatch();
    const double share = total_ == 0 ? 0 : static_cast<double>(done_) / static_cast<double>(total_);
    const int filled = std::clamp(static_cast<int>(share * kWidth), 0, kWidth);
    std::string left;
    if (*speed_ > 0) {
      left = format_duration(static_cast<double>(total_ - done_) / *speed_) + " left";
    }
    fmt::print(stderr, "\r[{:#<{}}{:.<{}}] {} of {}  {}/s  {}\x1b[K", "", filled, "",
               kWidth - filled, format_bytes(done_), format_bytes(total_),
               format_bytes(static_cast<std::int64_t>(*speed_)), left);
    drawn_ = true;
  }

  const bool show_;
  const bool has_tag_;  // the user knows what there is
  const bool terminal_;
  std::int64_t total_ = 0;
  std::int64_t done_ = 0;
  std::int64_t fetched_ = 0;
  std::int64_t fetched_at_draw_ = 0;
  std::optional<double> speed_;  // bytes/s
  Stopwatch since_draw_;
  bool drawn_ = false;
};

// HF_TOKEN, or what the hub's own login command stored.
std::string hub_token(const HubSettings& hub) {
  if (!hub.token.empty()) return hub.token;
  std::ifstream file(hub.home / "token");
  std::string token;
  file >> token;
  return token;
}

Result<fetch::PulledModel> already_there(const Settings& settings, const std::string& model) {
  const auto path = weights::resolve_model_dir(model, settings.native.hub_cache);
  if (path) {
    const fs::path snapshot = weights::is_gguf(*path) ? weights::gguf_model_dir(*path) : *path;
    return fetch::PulledModel{*path, snapshot.filename().string(), 0, 0};
  }
  return fail(ErrorCode::model_invalid,
              "{} is not in {}, and HF_HUB_OFFLINE forbids to fetch it: unset that", model,
              settings.native.hub_cache.string());
}

Result<fetch::PulledModel> fetch_model(const Settings& settings, const PullOptions& options,
                                       std::stop_token stop) {
  fetch::HubConfig config;
  config.endpoint = settings.hub.endpoint;
  while (config.endpoint.ends_with('/')) config.endpoint.pop_back();
  config.token = hub_token(settings.hub);
  config.cache = settings.native.hub_cache;
  const auto accept = [](const fs::path& path) -> Status {
    if (is_gguf_name(path.filename().string())) return weights::check_gguf_vision(path);
    TRU_CHECK(weights::load_model_config(path));
    return {};
  };
  PullProgress progress(!options.quiet, !split_tag(options.model).tag.empty());
  return fetch::pull_model(config, options.model, options.revision, accept, progress, stop);
}

}  // namespace

int pull(const PullOptions& options, std::stop_token stop) {
  const auto settings = read_settings(options.settings);
  if (!settings) return report(settings.error());
  const auto pulled = settings->hub.offline ? already_there(*settings, options.model)
                                            : fetch_model(*settings, options, stop);
  if (!pulled) {
    if (pulled.error().code != ErrorCode::cancelled) return report(pulled.error());
    return report({ErrorCode::cancelled, "stopped; run the same command again to go on"});
  }
  const std::string path = pulled->path.string();
  if (options.json) {
    const boost::json::object object = {{"model", options.model},
                                        {"revision", options.revision},
                                        {"commit", pulled->commit},
                                        {"path", path},
                                        {"bytes_fetched", pulled->bytes}};
    fmt::print("{}\n", boost::json::serialize(object));
  } else {
    fmt::print("{}\n", path);
  }
  if (!options.quiet) {
    fmt::print(stderr, "ready: tru ask VIDEO QUESTION --model {}\n",
               options.revision == "main" ? options.model : path);
  }
  return kOk;
}

}  // namespace tru::app
