#include "backend/make_backend.h"

#include "backend/native_backend.h"
#include "backend/remote/remote_backend.h"

namespace tru::backend {
namespace {

Result<std::unique_ptr<RemoteBackend>> connect(const BackendConfig& config, std::stop_token stop) {
  RemoteConfig servers = config.servers;
  std::unique_ptr<LocalServer> own;
  if (servers.base_urls.empty()) {
    TRU_TRY(own, LocalServer::start(config.own_server, stop));
    servers.base_urls = {own->base_url()};
    servers.api_key = own->api_key();
  }
  return RemoteBackend::connect(servers, std::move(own), stop);
}

}  // namespace

Result<std::unique_ptr<Backend>> make_backend(const BackendConfig& config, std::stop_token stop) {
  if (config.remote) return connect(config, stop);
  return NativeBackend::load(config.native);
}

Result<std::unique_ptr<Planner>> make_planner(const BackendConfig& config, std::stop_token stop) {
  if (config.remote) return connect(config, stop);
  TRU_TRY(NativePlanner planner, NativePlanner::load(config.native));
  return std::make_unique<NativePlanner>(std::move(planner));
}

}  // namespace tru::backend
