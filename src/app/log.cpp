#include "app/log.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <chrono>
#include <ctime>

#include "base/json_text.h"

namespace tru::app {
namespace {

constexpr std::size_t kMostBytes = 8 << 10;
constexpr std::size_t kMostText = 512;

LogLevel parse_level(std::string_view name) {
  if (name == "debug") return LogLevel::debug;
  if (name == "warning") return LogLevel::warning;
  if (name == "error") return LogLevel::error;
  return LogLevel::info;
}

// "2026-11-24T22:02:03.456Z".
std::string timestamp() {
  const auto now = std::chrono::system_clock::now();
  const auto since = now.time_since_epoch();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(since).count() % 1000;
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, ms);
}

}  // namespace

Log::Log(std::string_view level, std::FILE* file) : least_(parse_level(level)), file_(file) {}

Result<std::unique_ptr<Log>> Log::to_file(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  std::FILE* const file = fd < 0 ? nullptr : ::fdopen(fd, "a");
  if (file == nullptr) {
    return fail(ErrorCode::config_invalid, "AUDIT_LOG is '{}', which cannot be written",
                path.string());
  }
  return std::unique_ptr<Log>(new Log("debug", file));
}

Log::~Log() {
  if (file_ != stderr) std::fclose(file_);
}

bool Log::takes(std::string_view level) const {
  return parse_level(level) >= least_;
}

void Log::write(std::string_view level, std::string_view event, boost::json::object fields) {
  if (!takes(level)) return;
  boost::json::object line{{"time", timestamp()}, {"level", level}, {"event", event}};
  for (auto& [name, value] : fields) {
    if (value.is_string() && value.get_string().size() > kMostText) {
      value.get_string().resize(kMostText);
    }
    line[name] = std::move(value);
  }
  std::string text = to_json_text(line);
  if (text.size() >= kMostBytes) {
    text = to_json_text({{"time", line["time"]}, {"level", level}, {"event", event}});
  }
  text += '\n';
  std::lock_guard lock(mutex_);
  std::fwrite(text.data(), 1, text.size(), file_);
  std::fflush(file_);
}

}  // namespace tru::app
