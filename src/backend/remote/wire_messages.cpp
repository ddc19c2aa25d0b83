#include "backend/remote/wire_messages.h"

#include <algorithm>
#include <optional>

namespace tru::backend {
namespace {

using Kind = WirePart::Kind;

Status check(const text::Message& message, const std::vector<MediaShape>& media) {
  const auto roles = {"system", "user", "assistant", "tool"};
  if (std::find(roles.begin(), roles.end(), message.role) == roles.end()) {
    return fail(ErrorCode::invalid_argument,
                "role '{}' is unknown; allowed are system, user, assistant, tool", message.role);
  }
  for (const text::ContentPart& part : message.parts) {
    if (part.kind == text::PartKind::text) continue;
    if (message.role != "user" && message.role != "tool") {
      return fail(ErrorCode::invalid_argument, "a {} message can't hold an image or video",
                  message.role);
    }
    if (part.media_index >= media.size() || media[part.media_index].kind != part.kind) {
      return fail(ErrorCode::invalid_argument,
                  "a message refers to image or video {}, which is not there", part.media_index);
    }
  }
  return {};
}

void add_frames(std::size_t media_index, const MediaShape& shape, std::vector<WirePart>& parts) {
  for (std::size_t pair = 0; pair < shape.timestamps_s.size(); ++pair) {
    const int number = static_cast<int>(pair);
    parts.push_back({Kind::text, time_stamp(shape.timestamps_s[pair]), media_index, number, 0});
    for (const int frame : {0, 1}) {
      parts.push_back({Kind::image, {}, media_index, number, frame});
    }
  }
}

}  // namespace

FrameTransport transport_for(const ServerTraits& traits, const std::vector<MediaShape>& media) {
  if (traits.transport != FrameTransport::frame_list) return traits.transport;
  const std::vector<double>* times = nullptr;
  for (const MediaShape& shape : media) {
    if (shape.kind != text::PartKind::video) continue;
    if (times != nullptr && *times != shape.timestamps_s) return FrameTransport::timed_images;
    times = &shape.timestamps_s;
  }
  return FrameTransport::frame_list;
}

Result<std::vector<WireMessage>> wire_messages(const std::vector<text::Message>& messages,
                                               const std::vector<MediaShape>& media,
                                               FrameTransport transport, const PlainText& plain) {
  if (messages.empty()) return fail(ErrorCode::invalid_argument, "there are no messages");
  std::vector<WireMessage> result;
  for (const text::Message& message : messages) {
    TRU_CHECK(check(message, media));
    WireMessage wire{message.role, {}};
    for (const text::ContentPart& part : message.parts) {
      if (part.kind == text::PartKind::text) {
        const bool past_answer = message.role == "assistant";
        wire.parts.push_back({Kind::text, plain.neutralise(part.text, past_answer), 0, -1, 0});
      } else if (part.kind == text::PartKind::image) {
        wire.parts.push_back({Kind::image, {}, part.media_index, -1, 0});
      } else if (transport == FrameTransport::timed_images) {
        add_frames(part.media_index, media[part.media_index], wire.parts);
      } else {
        wire.parts.push_back({Kind::video, {}, part.media_index, -1, 0});
      }
    }
    result.push_back(std::move(wire));
  }
  return result;
}

std::string time_stamp(double time_s) {
  return fmt::format("<{:.1f} seconds>", time_s);
}

}  // namespace tru::backend
