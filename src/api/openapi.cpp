#include "api/openapi.h"

#include <algorithm>
#include <array>
#include <map>

#include "api/errors.h"
#include "api/repeating.h"
#include "api/requests.h"
#include "api/shapes.h"
#include "base/json_text.h"

namespace tru::api {
namespace {

enum Body { none, url_body, upload_body, chat_body, video_body, plan_body };

// What can go wrong beside what every operation has.
enum Risks : unsigned { lookup = 1, form = 2, question = 4, media = 8, model = 16, open = 32 };

struct Operation {
  std::string_view method, path, id, summary;
  Body body = none;
  int status = 200;
  std::string_view answer;  // a schema's name, or a media type
  unsigned risks = 0;
  bool streams = false;
};

constexpr Operation kOperations[] = {
    {"get", "/", "front_page", "What this service is; the web page for browsers", none, 200, "Card",
     open},
    {"get", "/v1/health", "health", "Whether the process lives, whatever else goes on", none, 200,
     "Health", open},
    {"get", "/v1/ready", "ready", "Whether questions are taken", none, 200, "Health", open | model},
    {"get", "/v1/health/detailed", "health_detailed", "Model, machine and queue", none, 200,
     "Detailed"},
    {"get", "/metrics", "metrics", "Counters and histograms for Prometheus", none, 200,
     "text/plain"},
    {"post", "/v1/inference/url", "infer_url", "Ask about a video on the web", url_body, 200,
     "Answer", question | media | model | lookup, true},
    {"post", "/v1/inference/upload", "infer_upload", "Ask about an uploaded video", upload_body,
     200, "Answer", question | media | model | form, true},
    {"get", "/v1/models", "list_models", "The model that answers", none, 200, "Models", model},
    {"post", "/v1/chat/completions", "chat_completions",
     "Ask in a conversation, as OpenAI's clients do", chat_body, 200, "ChatCompletion",
     question | media | model | lookup, true},
    {"post", "/v1/videos", "create_video", "Keep a video to ask about it more than once",
     video_body, 201, "Video", media | model | form},
    {"get", "/v1/videos/{id}", "get_video", "What is known about a kept video", none, 200, "Video",
     lookup | media | model},
    {"delete", "/v1/videos/{id}", "delete_video", "Delete a kept video", none, 204, "", lookup},
    {"post", "/v1/videos/{id}/plan", "plan_video",
     "What would be seen of a kept video, and at what cost", plan_body, 200, "Plan",
     lookup | media | model},
    {"get", "/v1/videos/{id}/frames/{index}.jpg", "video_frame", "A frame as a picture", none, 200,
     "image/jpeg", lookup | media},
    {"get", "/v1/videos/{id}/content", "video_content", "The video itself", none, 200, "video/*",
     lookup},
    {"get", "/v1/requests/{id}/events", "request_events",
     "Take up the events of a resumable request after Last-Event-ID", none, 200,
     "text/event-stream", lookup | media | question},
    {"delete", "/v1/requests/{id}", "delete_request", "Cancel a request", none, 204, "", lookup},
};

std::vector<int> statuses(const Operation& operation) {
  std::vector<int> list{400, 403, 405, 408, 413, 414, 429, 431, 500, 503};
  const auto add = [&](unsigned risk, std::initializer_list<int> more) {
    if ((operation.risks & risk) != 0) list.insert(list.end(), more);
  };
  if ((operation.risks & open) == 0) list.push_back(401);
  add(lookup, {404});
  add(form, {415, 507});
  add(question, {404, 409, 502, 504, 507});
  add(media, {415, 422});
  if (operation.body != none || operation.path.find("{index}") != operation.path.npos) {
    list.push_back(422);
    list.push_back(415);
  }
  if (operation.path.ends_with("/content")) list.push_back(416);
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
  return list;
}

json::object reference(std::string_view kind, std::string_view name) {
  return {{"$ref", fmt::format("#/components/{}/{}", kind, name)}};
}

json::object content(std::string_view type, json::value schema) {
  return {{type, {{"schema", std::move(schema)}}}};
}

const json::object kBinary{{"type", "string"}, {"format", "binary"}};

json::value request_body(Body body) {
  const auto json_body = [](std::string_view name, bool required) {
    return json::object{{"required", required},
                        {"content", content("application/json", reference("schemas", name))}};
  };
  switch (body) {
    case url_body:
      return json_body("UrlRequest", true);
    case chat_body:
      return json_body("ChatRequest", true);
    case plan_body:
      return json_body("VideoParams", false);
    case upload_body: {
      json::object schema = schema_of<UploadRequest>(true);
      schema["properties"].get_object()["video"] = kBinary;
      schema["required"].get_array().emplace_back("video");
      return json::object{{"required", true},
                          {"content", content("multipart/form-data", std::move(schema))}};
    }
    case video_body:
      return json::object{{"required", true},
                          {"content", content("application/octet-stream", kBinary)}};
    case none:
      break;
  }
  return nullptr;
}

json::array parameters(const Operation& operation) {
  json::array list;
  const auto add = [&](std::string_view in, std::string_view name, json::object schema,
                       std::string_view help) {
    list.push_back(json::object{{"in", in},
                                {"name", name},
                                {"required", in == "path"},
                                {"schema", std::move(schema)},
                                {"description", help}});
  };
  if (operation.path.find("{id}") != operation.path.npos) {
    add("path", "id", {{"type", "string"}}, "The id that was given.");
  }
  if (operation.path.find("{index}") != operation.path.npos) {
    add("path", "index", {{"type", "integer"}, {"minimum", 0}}, "In order of presentation.");
    const json::object query = schema_of<FrameQuery>(true);
    for (const auto& [name, schema] : query.at("properties").as_object()) {
      add("query", name, schema.get_object(), schema.at("description").as_string());
    }
  }
  if (operation.id == "request_events") {
    add("header", "Last-Event-ID", {{"type", "string"}}, "The last event that was received.");
  } else if ((operation.risks & question) != 0) {
    add("header", kIdempotencyKey,
        {{"type", "string"},
         {"minLength", 1},
         {"maxLength", kMaxIdempotencyKey},
         {"pattern", "^[!-~]+$"}},
        "A name of your own for this request, such as a UUID. Sent again under it, the question is "
        "not asked twice: the answer is the first one's, X-Request-ID included. How long it is "
        "remembered is told in docs/RELIABILITY.md.");
  }
  return list;
}

json::object responses(const Operation& operation) {
  json::object success{{"description", operation.summary}};
  if (operation.answer.find('/') != operation.answer.npos) {
    success["content"] = content(operation.answer, kBinary);
  } else if (!operation.answer.empty()) {
    success["content"] = content("application/json", reference("schemas", operation.answer));
    if (operation.streams) {
      success["content"].get_object()["text/event-stream"] = {{"schema", {{"type", "string"}}}};
    }
  }
  json::object list{{std::to_string(operation.status), std::move(success)}};
  if (operation.path.ends_with("/content")) {
    list["206"] = {{"description", "A range of the video"},
                   {"content", content(operation.answer, kBinary)}};
  }
  for (const int status : statuses(operation)) {
    list[std::to_string(status)] = reference("responses", fmt::format("E{}", status));
  }
  return list;
}

// One response for each status, which lists the codes it may carry.
json::object error_responses() {
  std::map<int, std::string> texts;
  for (const Refusal& refusal : all_refusals()) {
    std::string& text = texts[refusal.status];
    text += fmt::format("{}`{}`: {}", text.empty() ? "" : "\n\n", refusal.code, refusal.message);
  }
  json::object list;
  for (const auto& [status, text] : texts) {
    list[fmt::format("E{}", status)] = {
        {"description", text},
        {"content", content("application/json", reference("schemas", "Error"))}};
  }
  return list;
}

template <typename... Requests>
void add_schemas(json::object& schemas) {
  ((schemas[Fields<Requests>::name] = schema_of<Requests>()), ...);
}

json::object document(const std::string& version) {
  json::object paths;
  for (const Operation& operation : kOperations) {
    json::object described{{"operationId", operation.id},
                           {"summary", operation.summary},
                           {"responses", responses(operation)}};
    json::array list = parameters(operation);
    if (!list.empty()) described["parameters"] = std::move(list);
    if (json::value body = request_body(operation.body); !body.is_null()) {
      described["requestBody"] = std::move(body);
    }
    if ((operation.risks & open) != 0) described["security"] = json::array();
    json::value& path = paths[operation.path];
    if (path.is_null()) path = json::object();
    path.get_object()[operation.method] = std::move(described);
  }
  json::object schemas = answer_schemas();
  add_schemas<VideoParams, GenerationParams, UrlRequest, ChatRequest, StreamOptions, Sampling,
              MediaIo>(schemas);
  const json::object keys{{"bearer", {{"type", "http"}, {"scheme", "bearer"}}},
                          {"key", {{"type", "apiKey"}, {"in", "header"}, {"name", "X-API-Key"}}}};
  return {
      {"openapi", "3.1.0"},
      {"info", {{"title", "TRU"}, {"version", version}, {"description", "Ask videos questions."}}},
      {"paths", std::move(paths)},
      {"components",
       {{"schemas", std::move(schemas)},
        {"responses", error_responses()},
        {"securitySchemes", keys}}},
      {"security", json::array{json::object{{"bearer", json::array()}},
                               json::object{{"key", json::array()}}, json::object()}}};
}

}  // namespace

const std::string& openapi_text(const std::string& version) {
  static const std::string text = to_json_text(document(version));
  return text;
}

std::vector<std::string> documented_operations() {
  std::vector<std::string> list;
  for (const Operation& operation : kOperations) {
    std::string name(operation.method);
    std::transform(name.begin(), name.end(), name.begin(), ::toupper);
    list.push_back(fmt::format("{} {}", name, operation.path));
  }
  return list;
}

}  // namespace tru::api
