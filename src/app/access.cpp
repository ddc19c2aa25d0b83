#include "app/access.h"

namespace tru::app {

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

bool needs_keys(const Settings& settings) {
  if (settings.access.auth != "auto") return settings.access.auth == "on";
  return !is_loopback(settings.service.host);
}

std::filesystem::path key_file(const Settings& settings) {
  return settings.service.data_dir / "keys.json";
}

}  // namespace tru::app
