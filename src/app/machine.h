// What this machine has, and whether something fits.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "app/settings.h"

namespace tru::app {

struct Memory {
  double total_bytes = 0;
  double available_bytes = 0;  // without swapping anything out
};
Memory machine_memory();

// "3.2 GiB"
std::string format_gib(double bytes);

// Of the weights that MODEL_PATH's checkpoint keeps in its files. Errors: those of opening it.
Result<double> checkpoint_bytes(const backend::NativeConfig& config);

// What to do when so much is needed and there is only so much; nothing when it fits.
std::optional<std::string> memory_warning(double needed_bytes, double total_bytes);

}  // namespace tru::app
