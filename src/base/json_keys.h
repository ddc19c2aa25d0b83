// What Boost's parser of JSON lets pass.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tru {

// A key that an object within this JSON text has twice. The parser of documents would keep the last
// one, and two programs that read one text differently are a hole. Of broken JSON, or of such with
// more than 32 levels, what comes before.
std::optional<std::string> key_given_twice(std::string_view json_text);

}  // namespace tru
