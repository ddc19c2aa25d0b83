#include "pipeline/conversation.h"

#include <filesystem>
#include <fstream>
#include <sstream>

namespace tru::pipeline {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxFileBytes = std::size_t{256} << 20;  // data: URLs make them large
constexpr std::size_t kMaxDepth = 32;

// An error about the field at `place`.
tl::unexpected<Error> wrong(const std::string& place, std::string_view why) {
  return tl::unexpected<Error>(
      Error{ErrorCode::invalid_argument, fmt::format("{} {}", place, why), place});
}

Result<std::string> text_of(const json::value* value, const std::string& place) {
  if (value == nullptr || !value->is_string()) {
    return wrong(place, "must be a string");
  }
  return std::string(value->get_string());
}

// {"url": "..."} or the address itself.
Result<std::string> url_of(const json::object& part, const std::string& type,
                           const std::string& place) {
  const json::value* value = part.if_contains(type);
  const json::object* object = value == nullptr ? nullptr : value->if_object();
  if (object == nullptr) return text_of(value, place + "." + type);
  if (const json::value* data = object->if_contains("data")) {
    TRU_TRY(const std::string bytes, text_of(data, place + "." + type + ".data"));
    return "data:video/mp4;base64," + bytes;
  }
  return text_of(object->if_contains("url"), place + "." + type + ".url");
}

Result<text::ContentPart> parse_part(const json::value& value, const std::string& place,
                                     std::vector<MediaRef>& media) {
  const json::object* part = value.if_object();
  if (part == nullptr) return wrong(place, "must be an object");
  TRU_TRY(const std::string type, text_of(part->if_contains("type"), place + ".type"));
  text::ContentPart result;
  if (type == "text") {
    TRU_TRY(result.text, text_of(part->if_contains("text"), place + ".text"));
    return result;
  }
  if (type == "image_url") {
    result.kind = text::PartKind::image;
  } else if (type == "video_url" || type == "input_video") {
    result.kind = text::PartKind::video;
  } else {
    return wrong(place + ".type",
                 fmt::format("is '{}'; allowed are text, image_url, video_url, input_video", type));
  }
  TRU_TRY(std::string url, url_of(*part, type, place));
  result.media_index = media.size();
  media.push_back({result.kind, std::move(url)});
  return result;
}

Result<text::Message> parse_message(const json::value& value, const std::string& place,
                                    std::vector<MediaRef>& media) {
  const json::object* object = value.if_object();
  if (object == nullptr) return wrong(place, "must be an object");
  text::Message message;
  TRU_TRY(message.role, text_of(object->if_contains("role"), place + ".role"));
  const json::value* content = object->if_contains("content");
  if (content != nullptr && content->is_string()) {
    message.parts.push_back({text::PartKind::text, std::string(content->get_string()), 0});
    return message;
  }
  const json::array* parts = content == nullptr ? nullptr : content->if_array();
  if (parts == nullptr) {
    return wrong(place + ".content", "must be a string or a list of parts");
  }
  for (std::size_t i = 0; i < parts->size(); ++i) {
    TRU_TRY(text::ContentPart part,
            parse_part((*parts)[i], fmt::format("{}.content[{}]", place, i), media));
    message.parts.push_back(std::move(part));
  }
  return message;
}

// A relative path that only exists beside the messages file.
void look_beside(const std::filesystem::path& folder, MediaRef& ref) {
  const std::filesystem::path path = ref.url;
  std::error_code error;
  const bool plain = ref.url.find(':') == std::string::npos && path.is_relative();
  if (plain && !std::filesystem::exists(path, error) &&
      std::filesystem::exists(folder / path, error)) {
    ref.url = folder / path;
  }
}

}  // namespace

Result<Conversation> parse_conversation(const json::value& messages) {
  const json::array* list = messages.if_array();
  if (list == nullptr || list->empty()) {
    return wrong("messages", "must be a list of at least one message");
  }
  Conversation conversation;
  for (std::size_t i = 0; i < list->size(); ++i) {
    TRU_TRY(text::Message message,
            parse_message((*list)[i], fmt::format("messages[{}]", i), conversation.media));
    conversation.messages.push_back(std::move(message));
  }
  return conversation;
}

Result<Conversation> load_conversation(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  std::ifstream file(path, std::ios::binary);
  if (error || !file) {
    return fail(ErrorCode::invalid_argument, "{}: no such file of messages", path);
  }
  if (size > kMaxFileBytes) {
    return fail(ErrorCode::invalid_argument, "{}: {} MiB of messages; at most {} are read", path,
                size >> 20, kMaxFileBytes >> 20);
  }
  std::stringstream text;
  text << file.rdbuf();
  json::parse_options options;
  options.max_depth = kMaxDepth;
  boost::system::error_code broken;
  const json::value document = json::parse(text.str(), broken, {}, options);
  if (broken) return fail(ErrorCode::invalid_argument, "{}: this is not valid JSON", path);

  const json::object* object = document.if_object();
  const json::value* inside = object == nullptr ? nullptr : object->if_contains("messages");
  auto conversation = parse_conversation(inside == nullptr ? document : *inside);
  if (!conversation) {
    return fail(ErrorCode::invalid_argument, "{}: {}", path, conversation.error().message);
  }
  for (MediaRef& ref : conversation->media) {
    look_beside(std::filesystem::path(path).parent_path(), ref);
  }
  return conversation;
}

std::string last_user_text(const std::vector<text::Message>& messages) {
  for (auto message = messages.rbegin(); message != messages.rend(); ++message) {
    if (message->role != "user") continue;
    std::string text;
    for (const text::ContentPart& part : message->parts) text += part.text;
    return text;
  }
  return {};
}

}  // namespace tru::pipeline
