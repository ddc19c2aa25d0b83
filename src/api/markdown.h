// docs/API.md: openapi.json for people.
#pragma once

#include <string>

namespace tru::api {

std::string api_markdown(const std::string& version);

}  // namespace tru::api
