#include "backend/remote/remote_planner.h"

#include <cmath>

#include "base/gguf_choice.h"
#include "weights/config.h"
#include "weights/gguf_model.h"
#include "weights/model_dir.h"

namespace tru::backend {
namespace {

using Kind = WirePart::Kind;

// preprocessor_config.json and video_preprocessor_config.json of every published Qwen3-VL.
constexpr VisionLimits kPublishedLimits = {.image_min_pixels = 65536,
                                           .image_max_pixels = 16777216,
                                           .video_min_pixels = 4096,
                                           .video_max_pixels = 25165824};

constexpr std::int64_t kBytesPerToken = 3;
constexpr std::int64_t kTurnTokens = 5;    // <|im_start|> role \n ... <|im_end|> \n
constexpr std::int64_t kAnswerTokens = 3;  // <|im_start|> assistant \n
constexpr std::int64_t kFenceTokens = 2;   // <|vision_start|>, <|vision_end|>

// Every character is a token but the 7 of " second" and the "s" with them.
std::int64_t stamp_tokens(double time_s) {
  return static_cast<std::int64_t>(time_stamp(time_s).size()) - 7;
}

VisionLimits limits_of(const weights::ModelConfig& config) {
  VisionLimits limits;
  limits.patch_size = config.vision.patch_size;
  limits.spatial_merge_size = config.vision.spatial_merge_size;
  limits.temporal_patch_size = config.vision.temporal_patch_size;
  limits.image_min_pixels = config.image_processor.shortest_edge;
  limits.image_max_pixels = config.image_processor.longest_edge;
  limits.video_min_pixels = config.video_processor.shortest_edge;
  limits.video_max_pixels = config.video_processor.longest_edge;
  return limits;
}

}  // namespace

Result<RemotePlanner> RemotePlanner::load(const RemoteConfig& config) {
  const auto dir = weights::resolve_model_dir(config.model, config.hub_cache);
  if (config.model.empty() || (!dir && weights::is_hub_id(split_tag(config.model).name))) {
    return RemotePlanner(kPublishedLimits, PlainText::published());
  }
  if (!dir) return tl::unexpected(dir.error());
  std::optional<weights::GgufModel> gguf;
  if (weights::is_gguf(*dir)) {
    TRU_TRY(const weights::GgufPaths paths, weights::find_gguf(*dir, config.mmproj));
    TRU_TRY(gguf, weights::GgufModel::open(paths));
  }
  TRU_TRY(const weights::ModelConfig model,
          gguf ? gguf->config() : weights::load_model_config(*dir));
  TRU_TRY(ModelText text, load_model_text(*dir, gguf ? &*gguf : nullptr));
  const auto added = text.tokenizer.added_tokens();
  RemotePlanner planner(limits_of(model), PlainText({added.begin(), added.end()}));
  planner.local_.emplace(std::move(text));
  return planner;
}

Result<std::unique_ptr<Prompt>> RemotePlanner::build_prompt(
    const std::vector<text::Message>& messages, const std::vector<MediaShape>& media,
    const ServerTraits& traits) const {
  const FrameTransport transport = transport_for(traits, media);
  TRU_TRY(const auto wire, wire_messages(messages, media, transport, plain_));
  std::int64_t tokens = 0;
  if (local_) {
    TRU_TRY(tokens, count_exactly(wire, media));
  } else {
    tokens = count(wire, media);
  }
  if (traits.form == PromptForm::nested && transport == FrameTransport::frame_list) {
    for (const MediaShape& shape : media) {
      if (shape.kind == text::PartKind::video) tokens += kFenceTokens;
    }
  }
  return std::make_unique<RemotePrompt>(messages, media, tokens);
}

// Of one temporal patch. The server enlarges small images, frames of a video among them.
std::int64_t RemotePlanner::visual_tokens(const MediaShape& shape, bool as_image) const {
  const std::int64_t side = vision_.patch_size * vision_.spatial_merge_size;
  std::int64_t columns = shape.grid_thw[2] / vision_.spatial_merge_size;
  std::int64_t rows = shape.grid_thw[1] / vision_.spatial_merge_size;
  const auto pixels = static_cast<double>(columns * rows * side * side);
  if (as_image && pixels < static_cast<double>(vision_.image_min_pixels)) {
    const double scale = std::sqrt(static_cast<double>(vision_.image_min_pixels) / pixels);
    columns = std::llround(std::ceil(static_cast<double>(columns) * scale));
    rows = std::llround(std::ceil(static_cast<double>(rows) * scale));
  }
  return columns * rows;
}

std::int64_t RemotePlanner::image_tokens(const MediaShape& shape) const {
  return kFenceTokens + visual_tokens(shape, true);
}

std::int64_t RemotePlanner::count(const std::vector<WireMessage>& messages,
                                  const std::vector<MediaShape>& media) const {
  std::int64_t tokens = kAnswerTokens;
  for (const WireMessage& message : messages) {
    tokens += kTurnTokens;
    for (const WirePart& part : message.parts) {
      const auto bytes = static_cast<std::int64_t>(part.text.size());
      if (part.kind == Kind::text) {
        tokens += part.pair >= 0 ? bytes - 7 : (bytes + kBytesPerToken - 1) / kBytesPerToken;
        continue;
      }
      const MediaShape& shape = media[part.media_index];
      if (part.kind == Kind::image) {
        tokens += image_tokens(shape);
        continue;
      }
      for (const double time_s : shape.timestamps_s) {
        tokens += stamp_tokens(time_s) + kFenceTokens + visual_tokens(shape, false);
      }
    }
  }
  return tokens;
}

// What the server's template makes of the parts.
Result<std::int64_t> RemotePlanner::count_exactly(const std::vector<WireMessage>& messages,
                                                  const std::vector<MediaShape>& media) const {
  std::vector<text::Message> rendered;
  std::vector<text::MediaLayout> layouts;
  for (const WireMessage& message : messages) {
    text::Message copy{message.role, {}};
    for (const WirePart& part : message.parts) {
      if (part.kind == Kind::text) {
        copy.parts.push_back({text::PartKind::text, part.text, 0});
        continue;
      }
      const MediaShape& shape = media[part.media_index];
      text::MediaLayout layout;
      layout.kind = part.kind == Kind::video ? text::PartKind::video : text::PartKind::image;
      layout.tokens_per_patch =
          static_cast<int>(visual_tokens(shape, layout.kind == text::PartKind::image));
      if (part.kind == Kind::video) {
        for (const double time_s : shape.timestamps_s) {
          layout.timestamps.push_back(fmt::format("{:.1f}", time_s));
        }
      }
      copy.parts.push_back({layout.kind, {}, layouts.size()});
      layouts.push_back(std::move(layout));
    }
    rendered.push_back(std::move(copy));
  }
  TRU_TRY(const auto segments, local_->chat.render(local_->tokenizer, rendered, layouts));
  std::int64_t tokens = 0;
  for (const text::PromptSegment& segment : segments) {
    tokens += static_cast<std::int64_t>(segment.ids.size());
    if (segment.visual) tokens += segment.visual->num_tokens;
  }
  return tokens;
}

}  // namespace tru::backend
