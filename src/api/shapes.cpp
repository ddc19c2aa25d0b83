#include "api/shapes.h"

#include "api/errors.h"

namespace tru::api {
namespace {

namespace json = boost::json;

// A shorthand for schemas. Of texts: a type's name ("string", "integer", "number", "boolean",
// "object", "any"), "#Name" of another schema, "[...]" for a list of them, "...|null". An object's
// members are those of an object; a name that ends in "?" may be absent.
json::value expand(const json::value& shape);

json::value expand_text(std::string_view text) {
  constexpr std::string_view kNull = "|null";
  if (text.ends_with(kNull)) {
    text.remove_suffix(kNull.size());
    return json::object{{"anyOf", json::array{expand_text(text), {{"type", "null"}}}}};
  }
  if (text.starts_with('[')) {
    return json::object{{"type", "array"}, {"items", expand_text(text.substr(1, text.size() - 2))}};
  }
  if (text.starts_with('#')) {
    return json::object{{"$ref", "#/components/schemas/" + std::string(text.substr(1))}};
  }
  if (text == "any") return json::object();
  return json::object{{"type", text}};
}

json::value expand(const json::value& shape) {
  if (shape.is_string()) return expand_text(shape.get_string());
  json::object properties;
  json::array required;
  for (const auto& [key, member] : shape.get_object()) {
    std::string_view name = key;
    const bool optional = name.ends_with('?');
    if (optional) name.remove_suffix(1);
    if (!optional) required.emplace_back(name);
    properties[name] = expand(member);
  }
  json::object schema{{"type", "object"}, {"properties", std::move(properties)}};
  if (!required.empty()) schema["required"] = std::move(required);
  return schema;
}

constexpr std::string_view kShapes = R"({
  "Health": {"status": "string", "service": "string"},
  "Card": {"service": "string", "version": "string", "docs": "string", "openapi": "string",
           "health": "string"},
  "Detailed": {
    "status": "string", "service": "string", "version": "string", "sandbox": "string",
    "model": {"loaded": "boolean", "backend": "string", "path": "string", "demo": "boolean",
              "name?": "string", "max_context?": "integer", "servers?": "[#RemoteServer]"},
    "gpu": {"available": "boolean", "count": "integer", "devices": "[#Gpu]"},
    "cpu": "object", "memory": "object",
    "queue": {"waiting": "integer", "running": "integer", "capacity": "integer"}},
  "RemoteServer": {"available": "boolean", "running": "integer", "kind": "string",
                   "version": "string", "model": "string", "transport": "string",
                   "prompt_form": "string", "warnings": "[string]"},
  "Gpu": {"id": "integer", "name": "string", "memory_allocated_gb": "number",
          "memory_reserved_gb": "number"},
  "Usage": {"prompt_tokens": "integer", "completion_tokens": "integer", "total_tokens": "integer",
            "cached_tokens": "integer"},
  "Timings": {"decode": "number", "vision": "number", "prefill": "number", "first_token": "number",
              "generate": "number", "total": "number"},
  "Alternative": {"id": "integer", "text": "string", "bytes": "[integer]", "logprob": "number"},
  "Token": {"id": "integer", "text": "string", "bytes": "[integer]", "logprob": "number",
            "top_logprobs": "[#Alternative]"},
  "Frame": {"index": "integer", "time_s": "number"},
  "VideoReport": {
    "source": "string", "container": "string", "codec": "string", "duration_s": "number",
    "width": "integer", "height": "integer", "rotation_deg": "integer", "fps": "number",
    "variable_frame_rate": "boolean", "frames_total": "integer", "frames": "[#Frame]",
    "resized_width": "integer", "resized_height": "integer", "grid_thw": "[integer]",
    "video_tokens": "integer", "timestamps_s": "[number]", "limits": "[string]",
    "audio": "string", "subtitles": "string", "warnings": "[string]"},
  "Answer": {
    "response": "string", "prompt": "string", "video_source": "string", "backend": "string",
    "model": "string", "usage": "#Usage", "finish_reason": "string",
    "video_report": "[#VideoReport]", "timings_ms": "#Timings", "request_id": "string",
    "tokens?": "[#Token]"},
  "Video": {"id": "string", "sha256": "string", "bytes": "integer",
            "video_report": "[#VideoReport]"},
  "Estimate": {"prompt_tokens": "integer", "memory_bytes": "integer|null",
               "first_token_s": "number|null", "fits": "boolean"},
  "Plan": {"video_report": "[#VideoReport]", "estimate": "#Estimate"},
  "Model": {"id": "string", "object": "string", "created": "integer", "owned_by": "string",
            "max_model_len": "integer"},
  "Models": {"object": "string", "data": "[#Model]"},
  "ChatToken": {"token": "string", "logprob": "number", "bytes": "[integer]",
                "top_logprobs?": "[#ChatToken]"},
  "ChatUsage": {"prompt_tokens": "integer", "completion_tokens": "integer",
                "total_tokens": "integer",
                "prompt_tokens_details": {"cached_tokens": "integer"}},
  "ChatMessage": {"role": "string", "content": "string"},
  "ChatLogprobs": {"content": "[#ChatToken]"},
  "ChatChoice": {"index": "integer", "message": "#ChatMessage",
                 "logprobs": "#ChatLogprobs|null", "finish_reason": "string"},
  "ChatFacts": {"video_report": "[#VideoReport]", "timings_ms": "#Timings",
                "finish_reason": "string"},
  "ChatCompletion": {"id": "string", "object": "string", "created": "integer", "model": "string",
                     "choices": "[#ChatChoice]", "usage": "#ChatUsage", "tru": "#ChatFacts"},
  "ErrorDetail": {"code": "string", "message": "string", "field": "string|null",
                  "request_id": "string", "retryable": "boolean", "retry_after_s": "integer|null",
                  "type?": "string", "param?": "string|null"},
  "Error": {"detail": "string", "error": "#ErrorDetail"},
  "QueuedEvent": {"position": "integer", "request_id": "string"},
  "ProgressEvent": {"stage": "string", "done": "integer", "total": "integer"},
  "TokenEvent": {"text": "string"},
  "ErrorEvent": {"error": "#ErrorDetail"}
})";

}  // namespace

json::object answer_schemas() {
  json::object schemas;
  const json::value shapes = json::parse(kShapes);
  for (const auto& [name, shape] : shapes.get_object()) schemas[name] = expand(shape);
  json::array codes;
  for (const Refusal& refusal : all_refusals()) codes.emplace_back(refusal.code);
  schemas["ErrorDetail"].at("properties").get_object()["code"] = {{"type", "string"},
                                                                  {"enum", std::move(codes)}};
  return schemas;
}

}  // namespace tru::api
