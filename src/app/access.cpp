#include "app/access.h"

namespace tru::app {

bool is_local(const Settings& settings) {
  const std::string& host = settings.service.host;
  const bool loopback = host == "localhost" || host == "::1" || host.starts_with("127.");
  return loopback && settings.access.trusted_proxies.empty();
}

bool needs_keys(const Settings& settings) {
  if (settings.access.auth != "auto") return settings.access.auth == "on";
  return !is_local(settings);
}

std::filesystem::path key_file(const Settings& settings) {
  return settings.service.data_dir / "keys.json";
}

}  // namespace tru::app
