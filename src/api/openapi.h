// openapi.json, made of the tables that parse requests and of the table of errors.
#pragma once

#include <string>
#include <vector>

namespace tru::api {

// Compact JSON; the same text for every call.
const std::string& openapi_text(const std::string& version);

// "GET /v1/health" for every operation that is described.
std::vector<std::string> documented_operations();

}  // namespace tru::api
