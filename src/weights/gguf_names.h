// Names of tensors in llama.cpp's files of Qwen3-VL.
#pragma once

#include <string>
#include <string_view>

#include "weights/config.h"

namespace tru::weights {

struct GgufName {
  bool is_vision = false;  // which of the two files
  std::string name;        // empty: there is none
};

// For a published name (tensor_list.h), or an experts' gate_proj or up_proj. The patch embedding's
// is its first frame's kernel; the second one's has ".1" behind it.
GgufName gguf_name(std::string_view published, const VisionConfig& vision);

}  // namespace tru::weights
