// Which folder a --model argument means.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tru::weights {

// Whether this has the form of a name on the hub, ORG/NAME.
bool is_hub_id(std::string_view text);

// Where pulled models lie, as huggingface_hub finds it in the environment: HF_HUB_CACHE,
// HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub or ~/.cache/huggingface/hub.
std::filesystem::path hub_cache_dir();

// ORG/NAME if dir is .../models--ORG--NAME/snapshots/REVISION, else empty.
std::string hub_id_of_snapshot(const std::filesystem::path& dir);

// The folder of a GGUF model: that of its text file or, if this lies in a folder of a hub's
// snapshot, the snapshot.
std::filesystem::path gguf_model_dir(const std::filesystem::path& text_file);

// A folder or a *.gguf file that exists is itself; ORG/NAME is the snapshot that refs/main of the
// cache names or, if this has no checkpoint but GGUF files, the one that choose_gguf() chooses;
// ORG/NAME:TAG is always such a file. hub_cache: empty for hub_cache_dir(). Errors: model_invalid,
// with what to do about it.
Result<std::filesystem::path> resolve_model_dir(std::string_view model,
                                                const std::filesystem::path& hub_cache);

// Whether this is a *.gguf file, or a folder with such and without a Hugging Face checkpoint.
bool is_gguf(const std::filesystem::path& model);

// Tells what a folder without config.json and safetensors holds instead: model_invalid, or ok.
Status check_model_dir(const std::filesystem::path& dir);

}  // namespace tru::weights
