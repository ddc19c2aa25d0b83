#include "backend/remote/server_probe.h"

#include <boost/json.hpp>

#include "backend/remote/frame_code.h"
#include "backend/remote/reply_error.h"

namespace tru::backend {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr std::int64_t kVllmSlots = 16;  // of the 128 or more that it batches

// The answer as an object, if that is what it is.
Result<json::object> ask(const HttpClient& client, const std::string& path,
                         const json::object& body, const std::stop_token& stop) {
  HttpRequest request{path, body.empty() ? "" : json::serialize(body), 30s, 10s, {}};
  TRU_TRY(const HttpReply reply, client.send(request, stop));
  if (reply.status != 200) return tl::unexpected(reply_error(reply));
  boost::system::error_code broken;
  const json::value value = json::parse(reply.body, broken);
  if (broken || !value.is_object()) {
    return fail(ErrorCode::backend_protocol, "the back end's answer is not JSON");
  }
  return value.get_object();
}

std::string text_at(const json::value& root, std::string_view pointer) {
  boost::system::error_code missing;
  const json::value* value = root.find_pointer(pointer, missing);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

std::int64_t number_at(const json::value& root, std::string_view pointer) {
  boost::system::error_code missing;
  const json::value* value = root.find_pointer(pointer, missing);
  return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

Status read_models(const json::value& root, const std::string& wanted, ServerTraits& traits) {
  const json::value* data = root.get_object().if_contains("data");
  if (data == nullptr || !data->is_array() || data->get_array().empty()) {
    return fail(ErrorCode::backend_protocol, "the back end has no model");
  }
  const json::array& list = data->get_array();
  const json::value* chosen = &list.front();
  for (const json::value& model : list) {
    if (text_at(model, "/id") == wanted) chosen = &model;
  }
  traits.model = text_at(*chosen, "/id");
  const std::string owner = text_at(*chosen, "/owned_by");
  if (owner == "vllm") traits.kind = ServerKind::vllm;
  if (owner == "llamacpp") traits.kind = ServerKind::llama_server;
  traits.max_context = number_at(*chosen, "/max_model_len");
  if (traits.max_context == 0) traits.max_context = number_at(*chosen, "/meta/n_ctx");
  if (traits.model.empty()) {
    return fail(ErrorCode::backend_protocol, "the back end has no model");
  }
  return {};
}

// A question about something to see, as /tokenize takes it.
json::object tokenize_body(const ServerTraits& traits, json::object medium) {
  json::array content = {std::move(medium), {{"type", "text"}, {"text", "?"}}};
  return {{"model", traits.model},
          {"messages", {{{"role", "user"}, {"content", std::move(content)}}}},
          {"return_token_strs", true}};
}

json::object tiny_video(bool timed, json::object& body_fields) {
  const RgbFrame grey{64, 64, std::vector<std::uint8_t>(3 * 64 * 64, 128)};
  const std::string frame = encode_frame(grey, FrameFormat::jpeg);
  std::string url = "data:video/jpeg;base64," + frame;
  for (int i = 1; i < 4; ++i) url += "," + frame;
  if (timed) {
    // Pairs at 0.3 and 2.0 s.
    body_fields["media_io_kwargs"] = {{"video",
                                       {{"fps", 1000.0},
                                        {"frames_indices", {0, 600, 1500, 2500}},
                                        {"total_num_frames", 2501},
                                        {"num_frames", -1}}}};
  }
  return {{"type", "video_url"}, {"video_url", {{"url", url}}}};
}

bool takes_images(const HttpClient& client, const ServerTraits& traits, std::stop_token stop) {
  const RgbFrame grey{64, 64, std::vector<std::uint8_t>(3 * 64 * 64, 128)};
  const std::string url = "data:image/jpeg;base64," + encode_frame(grey, FrameFormat::jpeg);
  const json::object image = {{"type", "image_url"}, {"image_url", {{"url", url}}}};
  return ask(client, "/tokenize", tokenize_body(traits, image), stop).has_value();
}

// The expanded prompt as text; token spellings may hold other characters for spaces.
std::string joined(const json::object& reply) {
  std::string text;
  const json::value* strings = reply.if_contains("token_strs");
  if (strings == nullptr || !strings->is_array()) return text;
  for (const json::value& piece : strings->get_array()) {
    if (piece.is_string()) text += piece.get_string();
  }
  return text;
}

// vLLM expands a prompt with media without answering it.
void probe_vllm(const HttpClient& client, ServerTraits& traits, const std::stop_token& stop) {
  traits.slots = kVllmSlots;
  json::object fields;
  json::object body = tokenize_body(traits, tiny_video(true, fields));
  body.insert(fields.begin(), fields.end());
  const auto reply = ask(client, "/tokenize", body, stop);
  const std::string text = reply ? joined(*reply) : "";
  const std::size_t first = text.find("<0.3"), second = text.find("<2.0");
  if (first != std::string::npos && second != std::string::npos && first < second) {
    traits.transport = FrameTransport::frame_list;
    const bool nested = text.substr(0, first).ends_with("<|vision_start|>");
    traits.form = nested ? PromptForm::nested : PromptForm::published;
    return;
  }
  traits.warnings.push_back(
      reply ? "it changes the times of the frames it is sent"
            : "it does not take the times of frames (vLLM 0.31 and newer: start it with "
              "--trust-request-mm-kwargs)");
  if (takes_images(client, traits, stop)) return;  // timed_images
  traits.transport = FrameTransport::whole_file;
  traits.warnings.push_back("it takes whole files only and chooses frames and times itself");
}

void probe_llama_server(const HttpClient& client, ServerTraits& traits,
                        const std::stop_token& stop) {
  traits.slots = 1;
  const auto reply = ask(client, "/props", {}, stop);
  if (!reply) return;
  const json::value props = *reply;
  traits.slots = static_cast<int>(std::max<std::int64_t>(number_at(props, "/total_slots"), 1));
  traits.version = text_at(props, "/build_info");
  boost::system::error_code missing;
  const json::value* vision = props.find_pointer("/modalities/vision", missing);
  if (vision != nullptr && vision->is_bool() && !vision->get_bool()) {
    traits.warnings.push_back("its model does not see: start it with --mmproj");
  }
}

}  // namespace

Result<ServerTraits> probe_server(const HttpClient& client, const std::string& wanted_model,
                                  std::stop_token stop) {
  ServerTraits traits;
  TRU_TRY(const json::object models, ask(client, "/v1/models", {}, stop));
  TRU_CHECK(read_models(models, wanted_model, traits));
  if (const auto version = ask(client, "/version", {}, stop)) {
    traits.version = text_at(*version, "/version");
  }
  if (traits.kind == ServerKind::vllm) probe_vllm(client, traits, stop);
  if (traits.kind == ServerKind::llama_server) probe_llama_server(client, traits, stop);
  if (traits.max_context == 0) {
    traits.warnings.push_back("it does not say how long its context is");
  }
  return traits;
}

std::string shown_model(const ServerTraits& traits) {
  const std::string& model = traits.model;
  return model.starts_with('/') ? model.substr(model.rfind('/') + 1) : model;
}

std::string_view to_string(ServerKind kind) {
  switch (kind) {
    case ServerKind::vllm:
      return "vLLM";
    case ServerKind::llama_server:
      return "llama-server";
    case ServerKind::other:
      return "OpenAI-compatible server";
  }
  return "";
}

std::string_view to_string(FrameTransport transport) {
  switch (transport) {
    case FrameTransport::frame_list:
      return "frame_list";
    case FrameTransport::timed_images:
      return "timed_images";
    case FrameTransport::whole_file:
      return "whole_file";
  }
  return "";
}

std::string_view to_string(PromptForm form) {
  return form == PromptForm::nested ? "nested" : "published";
}

}  // namespace tru::backend
