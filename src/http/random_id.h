// Names that nobody can guess.
#pragma once

#include <string>

namespace tru::http {

// 128 random bits in hex.
std::string random_id();

}  // namespace tru::http
