// The configuration in the metadata of llama.cpp's files of Qwen3-VL.
#pragma once

#include "weights/config.h"
#include "weights/gguf_file.h"

namespace tru::weights {

// What a file says it is: "qwen3vl", "qwen3vlmoe" (text), "clip" (vision) or something else.
std::string_view gguf_architecture(const GgufHeader& header);

// Whether this can be the vision file. Errors: model_invalid, one line.
Status check_vision_config(const GgufHeader& mmproj);

// From both files, through parse_model_config() and so with all its checks; the JSON files of a
// Hugging Face checkpoint in `dir` that tell more are read too, if they are there. The name is the
// text file's, without extension. Errors: model_invalid.
Result<ModelConfig> parse_gguf_config(const GgufHeader& text, const GgufHeader& mmproj,
                                      const std::filesystem::path& text_path);

}  // namespace tru::weights
