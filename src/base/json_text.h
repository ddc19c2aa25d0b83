// JSON as people and old scripts read it.
#pragma once

#include <boost/json/value.hpp>
#include <string>

namespace tru {

// Compact, like boost::json::serialize(), but numbers are written the short way: 3.0 and 0.0125
// where Boost writes 3E0 and 1.25E-2. Doubles keep every bit. A number that JSON cannot hold (NaN,
// infinity) becomes null.
std::string to_json_text(const boost::json::value& value);

}  // namespace tru
