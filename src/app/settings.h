// Settings from the environment, with the names and defaults of the platform that TRU replaces.
// Flags of the command line override them.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "backend/native_backend.h"
#include "pipeline/question.h"

namespace tru::app {

struct Settings {
  backend::NativeConfig native;   // MODEL_PATH, WEIGHTS, DEVICE, THREADS, MAX_CONTEXT
  bool demo_model = false;        // nothing chose a model: the one that ships with the program
  pipeline::VideoDefaults video;  // DEFAULT_VIDEO_FPS ... DEFAULT_TOTAL_PIXELS
  backend::GenerationParams generation;  // MAX_NEW_TOKENS, TEMPERATURE, TOP_P, TOP_K
};

// Looks a variable up; empty values count as unset.
using Environment = std::function<std::optional<std::string>(const char* name)>;
std::optional<std::string> process_environment(const char* name);

// Error: config_invalid, which names the setting, its value and what is allowed.
Result<Settings> read_settings(const Environment& environment = process_environment);

// The folder of the demo model: beside the sources it was built from, or installed. Error:
// config_invalid when it is not there.
Result<std::string> demo_model_dir();

}  // namespace tru::app
