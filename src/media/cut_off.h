#pragma once

#include <string_view>

#include "media/input_file.h"

namespace tru::media {

// Whether the outermost boxes of a container claim more bytes than the file has. format is "avi",
// "mkv", "webm", "mp4" or "mov".
bool is_cut_off(const InputFile& file, std::string_view format);

}  // namespace tru::media
