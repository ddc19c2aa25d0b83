// The frames of a question, ready to travel.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/remote/remote_config.h"

namespace tru::backend {

// One image or video: per temporal patch its two frames in base64; the second is empty if it is the
// first once more. Fewer patches than planned if the file's tail could not be decoded.
using EncodedMedia = std::vector<std::array<std::string, 2>>;

// Takes all frames from the sources, which decode meanwhile. Errors: the sources' own.
Result<std::vector<EncodedMedia>> encode_media(const std::vector<FrameSource*>& frames,
                                               const std::vector<MediaShape>& media,
                                               FrameFormat format, AnswerListener& listener,
                                               std::stop_token stop);

// A whole file in base64. Errors: media_not_found, media_dimensions above 256 MiB.
Result<std::string> encode_file(const std::string& path);

}  // namespace tru::backend
