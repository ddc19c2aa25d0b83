#include "app/machine.h"

#include <fstream>

#include "weights/checkpoint.h"

namespace tru::app {
namespace {

// Bytes of a line of /proc/meminfo.
double meminfo(std::string_view name) {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name)) return std::stod(line.substr(name.size() + 1)) * 1024;
  }
  return 0;
}

}  // namespace

Memory machine_memory() {
  return {meminfo("MemTotal"), meminfo("MemAvailable")};
}

std::string format_gib(double bytes) {
  return fmt::format("{:.1f} GiB", bytes / (1 << 30));
}

Result<double> checkpoint_bytes(const backend::NativeConfig& config) {
  TRU_TRY(const auto checkpoint,
          weights::Checkpoint::open(config.model, config.hub_cache, config.mmproj));
  double bytes = 0;
  for (const weights::MappedFile& file : checkpoint.files()) {
    bytes += static_cast<double>(file.bytes().size());
  }
  return bytes;
}

std::optional<std::string> memory_warning(double needed_bytes, double total_bytes) {
  if (needed_bytes <= total_bytes) return std::nullopt;
  return fmt::format(
      "needs about {}, and this machine has {}: use --weights int8 or int4, a smaller model or "
      "fewer frames",
      format_gib(needed_bytes), format_gib(total_bytes));
}

}  // namespace tru::app
