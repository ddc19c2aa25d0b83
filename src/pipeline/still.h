// One frame of a video as a picture for people.
#pragma once

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>

#include "base/result.h"

namespace tru::pipeline {

// Frame number `index`, in order of presentation, as a JPEG file; width in pixels, the video's own
// if not given or larger. name: see MediaRef. Errors: media_*, invalid_argument (no such frame),
// cancelled.
Result<std::string> still(const std::filesystem::path& path, const std::string& name, int index,
                          std::optional<int> width, std::stop_token stop);

}  // namespace tru::pipeline
