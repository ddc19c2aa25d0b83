// A conversation in the parts that travel: plain text, images, videos, and frames with their times.
#pragma once

#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/remote/plain_text.h"
#include "backend/remote/server_traits.h"

namespace tru::backend {

struct WirePart {
  enum class Kind { text, image, video };

  Kind kind = Kind::text;
  std::string text;
  std::size_t media_index = 0;  // of image and video
  // A frame of a video that travels as images, or the time before it: which temporal patch. -1: the
  // part does not belong to one.
  int pair = -1;
  int frame = 0;  // 0 or 1: first or second of the pair
};

struct WireMessage {
  std::string role;
  std::vector<WirePart> parts;
};

// The transport that these media can take: a frame list has one set of times for all videos.
FrameTransport transport_for(const ServerTraits& traits, const std::vector<MediaShape>& media);

// Everything people wrote is neutralised. Errors: invalid_argument.
Result<std::vector<WireMessage>> wire_messages(const std::vector<text::Message>& messages,
                                               const std::vector<MediaShape>& media,
                                               FrameTransport transport, const PlainText& plain);

// "<0.3 seconds>", as the model was trained.
std::string time_stamp(double time_s);

}  // namespace tru::backend
