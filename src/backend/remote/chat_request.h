// The body of POST /v1/chat/completions.
#pragma once

#include <string>
#include <vector>

#include "backend/remote/encoded_media.h"
#include "backend/remote/wire_messages.h"

namespace tru::backend {

struct ChatRequest {
  const ServerTraits& traits;
  FrameTransport transport;
  const std::vector<WireMessage>& messages;
  const std::vector<MediaShape>& media;
  const std::vector<EncodedMedia>& frames;  // one per medium
  const std::vector<std::string>& files;    // one per medium, in base64, if whole files travel
  VisionLimits vision;
  FrameFormat format;
};

std::string chat_request_body(const ChatRequest& request, const GenerationParams& params);

}  // namespace tru::backend
