// The bodies of answers, for openapi.json. Requests describe themselves (fields.h).
#pragma once

#include <boost/json.hpp>

namespace tru::api {

// components/schemas: every body that an answer may have, by name.
boost::json::object answer_schemas();

}  // namespace tru::api
