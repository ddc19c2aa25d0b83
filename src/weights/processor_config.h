// The parts of ModelConfig that come from beside config.json.
#pragma once

#include "weights/config.h"

namespace tru::weights {

// Fills config.image_processor and config.video_processor; config.vision must be filled.
Status parse_processors(const ConfigFiles& files, ModelConfig& config);

// Fills config.generation and, if the file names them, config.eos_token_ids; config.text must be
// filled.
Status parse_generation(const ConfigFiles& files, ModelConfig& config);

}  // namespace tru::weights
