#include "backend/remote/chat_request.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>

namespace tru::backend {
namespace {

namespace json = boost::json;

// The millisecond that is written like time_s, to a tenth of a second.
std::int64_t milliseconds(double time_s) {
  const auto nearest = std::llround(time_s * 1000);
  for (const std::int64_t ms : {nearest, nearest - 1, nearest + 1}) {
    if (time_stamp(static_cast<double>(ms) / 1000) == time_stamp(time_s)) return ms;
  }
  return nearest;
}

json::object text_part(std::string_view text) {
  return {{"type", "text"}, {"text", text}};
}

json::object url_part(const char* type, std::string url) {
  return {{"type", type}, {type, {{"url", std::move(url)}}}};
}

std::string image_url(const std::string& frame, FrameFormat format) {
  return (format == FrameFormat::png ? "data:image/png;base64," : "data:image/jpeg;base64,") +
         frame;
}

// Each pair as two frames; vLLM tells JPEG from PNG by itself, but knows only this name.
std::string frame_list_url(const EncodedMedia& frames) {
  std::string list;
  for (const auto& [first, second] : frames) {
    if (!list.empty()) list += ',';
    list += first;
    list += ',';
    list += second.empty() ? first : second;
  }
  return "data:video/jpeg;base64," + list;
}

json::value content_of(const ChatRequest& request, const WireMessage& message) {
  json::array parts;
  for (const WirePart& part : message.parts) {
    const EncodedMedia* frames =
        part.media_index < request.frames.size() ? &request.frames[part.media_index] : nullptr;
    // What was not decoded is left out, times and all.
    if (part.pair >= 0 && part.pair >= static_cast<int>(frames->size())) continue;
    switch (part.kind) {
      case WirePart::Kind::text:
        parts.push_back(text_part(part.text));
        break;
      case WirePart::Kind::image: {
        const auto& pair = (*frames)[static_cast<std::size_t>(std::max(part.pair, 0))];
        const std::string& frame = pair[static_cast<std::size_t>(part.frame)];
        if (!frame.empty())
          parts.push_back(url_part("image_url", image_url(frame, request.format)));
        break;
      }
      case WirePart::Kind::video:
        parts.push_back(
            url_part("video_url", request.transport == FrameTransport::whole_file
                                      ? "data:video/mp4;base64," + request.files[part.media_index]
                                      : frame_list_url(*frames)));
        break;
    }
  }
  // Some templates take nothing but a string from roles without media.
  const bool only_text = parts.size() == 1 && parts[0].at("type") == "text";
  return only_text ? parts[0].at("text") : json::value(std::move(parts));
}

// The times of the frames, and leave to keep a size beyond the checkpoint's own limits.
void add_media_options(const ChatRequest& request, json::object& body) {
  for (std::size_t i = 0; i < request.media.size(); ++i) {
    const MediaShape& shape = request.media[i];
    if (shape.kind != text::PartKind::video) continue;
    const std::size_t pairs = request.frames[i].size();
    json::array indices;
    for (std::size_t pair = 0; pair < pairs; ++pair) {
      // Both frames at the pair's time: the mean, which is what gets written, is that time.
      const std::int64_t ms = milliseconds(shape.timestamps_s[pair]);
      indices.emplace_back(ms);
      indices.emplace_back(ms);
    }
    const std::int64_t last = indices.empty() ? 0 : indices.back().get_int64();
    body["media_io_kwargs"] = {{"video",
                                {{"fps", 1000.0},
                                 {"frames_indices", std::move(indices)},
                                 {"total_num_frames", last + 1},
                                 {"num_frames", -1}}}};
    const std::int64_t patch = request.vision.patch_size;
    const std::int64_t pixels = static_cast<std::int64_t>(2 * pairs) * shape.grid_thw[1] *
                                shape.grid_thw[2] * patch * patch;
    if (pixels < request.vision.video_min_pixels || pixels > request.vision.video_max_pixels) {
      body["mm_processor_kwargs"] = {
          {"size",
           {{"shortest_edge", std::min(pixels, request.vision.video_min_pixels)},
            {"longest_edge", std::max(pixels, request.vision.video_max_pixels)}}}};
    }
  }
}

}  // namespace

std::string chat_request_body(const ChatRequest& request, const GenerationParams& params) {
  json::array messages;
  for (const WireMessage& message : request.messages) {
    messages.push_back({{"role", message.role}, {"content", content_of(request, message)}});
  }
  json::object body = {
      {"model", request.traits.model},
      {"messages", std::move(messages)},
      {"stream", true},
      {"stream_options", {{"include_usage", true}}},
      {"max_tokens", params.max_tokens},
      {"temperature", params.temperature},
      {"top_p", std::max(params.top_p, 1e-6)},           // servers refuse 0
      {"top_k", params.top_k == 0 ? -1 : params.top_k},  // -1 is off for all of them
      {"seed", params.seed & 0x7fffffff},                // some read 32 bits
  };
  if (!params.stop.empty()) body["stop"] = json::value_from(params.stop);
  if (params.logprobs) {
    body["logprobs"] = true;
    body["top_logprobs"] = params.top_logprobs;
  }
  if (request.traits.kind == ServerKind::vllm) {
    body["return_token_ids"] = true;
    if (params.logprobs) body["return_tokens_as_token_ids"] = true;
  }
  if (request.transport == FrameTransport::frame_list) add_media_options(request, body);
  return json::serialize(body);
}

}  // namespace tru::backend
