// The back end that the settings ask for.
#pragma once

#include <optional>

#include "backend/native_planner.h"
#include "backend/remote/local_server.h"
#include "backend/remote/remote_config.h"

namespace tru::backend {

struct BackendConfig {
  bool remote = false;  // MODEL_BACKEND=vllm
  NativeConfig native;
  RemoteConfig servers;          // without addresses: a vLLM of our own is started
  LocalServerConfig own_server;  // how
};

// Loads the model, or finds the servers. Errors: model_invalid, config_invalid, engine_failed,
// backend_*, cancelled.
Result<std::unique_ptr<Backend>> make_backend(const BackendConfig& config, std::stop_token stop);

// The same, only for plans: the native engine loads no weights.
Result<std::unique_ptr<Planner>> make_planner(const BackendConfig& config, std::stop_token stop);

}  // namespace tru::backend
