// Finds out what a server is and takes, without generating anything.
#pragma once

#include "backend/remote/http_client.h"
#include "backend/remote/server_traits.h"

namespace tru::backend {

// wanted_model: taken if the server has it, else its first one. Asks for the version and models,
// and lets vLLM tokenize a question about four tiny frames with known times, and llama-server tell
// its properties: nothing is guessed from versions. Errors: backend_*, cancelled.
Result<ServerTraits> probe_server(const HttpClient& client, const std::string& wanted_model,
                                  std::stop_token stop);

}  // namespace tru::backend
