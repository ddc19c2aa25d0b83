#include "app/settings.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>

namespace tru::app {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kUnbounded = std::numeric_limits<std::int64_t>::max();

// Reads numbers into `target` as long as all is well; the first bad one is kept in `status`.
class Reader {
 public:
  explicit Reader(const Environment& environment) : environment_(environment) {}

  template <typename Number>
  void number(const char* name, Number& target, double least, double most) {
    const auto text = environment_(name);
    if (!text || !status_) return;
    double value = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    const bool whole = std::is_floating_point_v<Number> || value == std::floor(value);
    if (error != std::errc() || end != text->data() + text->size() || !whole ||
        !(value >= least && value <= most)) {
      const char* kind = std::is_floating_point_v<Number> ? "a number" : "a whole number";
      status_ = fail(ErrorCode::config_invalid, "{} is '{}'; allowed is {} {}", name, *text, kind,
                     range(least, most));
      return;
    }
    target = static_cast<Number>(value);
  }

  void text(const char* name, std::string& target) {
    if (const auto value = environment_(name)) target = *value;
  }

  Status status() const { return status_; }

 private:
  static std::string range(double least, double most) {
    if (most >= static_cast<double>(kUnbounded)) return fmt::format("from {}", least);
    return fmt::format("from {} to {}", least, most);
  }

  const Environment& environment_;
  Status status_;
};

}  // namespace

std::optional<std::string> process_environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

Result<Settings> read_settings(const Environment& environment) {
  Settings settings;
  Reader reader(environment);
  reader.text("MODEL_PATH", settings.native.model);
  reader.text("WEIGHTS", settings.native.weights);
  reader.text("DEVICE", settings.native.device);
  reader.number("THREADS", settings.native.threads, 0, 512);
  reader.number("MAX_CONTEXT", settings.native.max_context, 256, kUnbounded);
  reader.number("DEFAULT_VIDEO_FPS", settings.video.fps, 1e-3, 60);
  reader.number("DEFAULT_MAX_FRAMES", settings.video.max_frames, 1, 2048);
  reader.number("DEFAULT_MIN_PIXELS", settings.video.min_pixels, 1, kUnbounded);
  reader.number("DEFAULT_MAX_PIXELS", settings.video.max_pixels, 1, kUnbounded);
  reader.number("DEFAULT_TOTAL_PIXELS", settings.video.total_pixels, 1, kUnbounded);
  reader.number("MAX_NEW_TOKENS", settings.generation.max_tokens, 1, 32768);
  reader.number("TEMPERATURE", settings.generation.temperature, 0, 2);
  reader.number("TOP_P", settings.generation.top_p, 0, 1);
  reader.number("TOP_K", settings.generation.top_k, 0, 1 << 20);
  TRU_CHECK(reader.status());
  const auto backend = environment("MODEL_BACKEND");
  if (backend && *backend != "hf") {
    return fail(ErrorCode::config_invalid,
                "MODEL_BACKEND is '{}'; this build allows hf (the native engine)", *backend);
  }
  return settings;
}

Result<std::string> demo_model_dir() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error).parent_path();
  // build/bin/tru in a source tree; bin/tru when installed.
  for (const fs::path& candidate : {program / "../../models/demo", program / "../share/tru/demo"}) {
    if (fs::exists(candidate / "config.json", error)) return fs::canonical(candidate).string();
  }
  return fail(ErrorCode::config_invalid,
              "no model was chosen and the demo model is not installed; give --model DIR or set "
              "MODEL_PATH");
}

}  // namespace tru::app
