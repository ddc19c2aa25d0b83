#include "api/markdown.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "api/errors.h"
#include "api/openapi.h"

namespace tru::api {
namespace {

namespace json = boost::json;

std::string_view text_of(const json::value& value) {
  return value.as_string();
}

// The last part of a reference: its schema's name.
std::string name_of(std::string_view reference) {
  return std::string(reference.substr(reference.rfind('/') + 1));
}

std::string type_of(const json::object& schema) {
  if (const auto* reference = schema.if_contains("$ref")) return name_of(text_of(*reference));
  if (const auto* choices = schema.if_contains("anyOf")) {
    std::string list;
    for (const json::value& choice : choices->as_array()) {
      const std::string type = type_of(choice.as_object());
      if (type != "null") list += (list.empty() ? "" : " or ") + type;
    }
    return list;
  }
  const json::value* type = schema.if_contains("type");
  if (type == nullptr) return "any";
  const std::string name(text_of(type->is_array() ? type->as_array().front() : *type));
  const json::value* items = schema.if_contains("items");
  return items == nullptr ? name : "list of " + type_of(items->as_object());
}

std::string allowed_in(const json::object& schema) {
  std::string list;
  const auto add = [&](std::string_view key, std::string_view sign) {
    const json::value* bound = schema.if_contains(key);
    if (bound == nullptr) return;
    list += fmt::format("{}{} {}", list.empty() ? "" : ", ", sign, json::serialize(*bound));
  };
  add("exclusiveMinimum", ">");
  add("minimum", ">=");
  add("maximum", "<=");
  if (const auto* choices = schema.if_contains("enum")) {
    for (const json::value& choice : choices->as_array()) {
      if (choice.is_string())
        list += fmt::format("{}`{}`", list.empty() ? "" : ", ", text_of(choice));
    }
  }
  return list;
}

std::string fields_table(const json::object& schema) {
  std::string table = "| field | type | allowed | |\n|---|---|---|---|\n";
  const json::value* required = schema.if_contains("required");
  for (const auto& [name, member] : schema.at("properties").as_object()) {
    const json::object& field = member.as_object();
    const bool needed =
        required != nullptr &&
        std::count(required->as_array().begin(), required->as_array().end(), json::value(name)) > 0;
    const json::value* help = field.if_contains("description");
    table += fmt::format("| `{}`{} | {} | {} | {} |\n", std::string_view(name),
                         needed ? ", required" : "", type_of(field), allowed_in(field),
                         help == nullptr ? "" : text_of(*help));
  }
  return table;
}

std::string headers_of(const json::object& operation) {
  std::string text;
  const json::value* parameters = operation.if_contains("parameters");
  if (parameters == nullptr) return text;
  for (const json::value& parameter : parameters->as_array()) {
    if (parameter.at("in") != "header") continue;
    text += fmt::format("\nHeader `{}`: {}\n", text_of(parameter.at("name")),
                        text_of(parameter.at("description")));
  }
  return text;
}

// The schema of a request's body, looked up; null when it has none with fields.
const json::object* body_of(const json::object& operation, const json::object& schemas) {
  const json::value* body = operation.if_contains("requestBody");
  if (body == nullptr) return nullptr;
  const json::value& media = body->at("content").as_object().begin()->value();
  const json::object* schema = &media.at("schema").as_object();
  if (const auto* reference = schema->if_contains("$ref")) {
    schema = &schemas.at(name_of(text_of(*reference))).as_object();
  }
  return schema->contains("properties") ? schema : nullptr;
}

}  // namespace

std::string api_markdown(const std::string& version) {
  const json::value document = json::parse(openapi_text(version));
  const json::object& schemas = document.at("components").at("schemas").as_object();
  std::string text =
      "# HTTP API\n\nMade from the service's own tables by `tru serve --api-docs`; "
      "`/openapi.json` says the same to programs, and `/docs` lets you try it.\n";
  for (const auto& [path, methods] : document.at("paths").as_object()) {
    for (const auto& [method, described] : methods.as_object()) {
      const json::object& operation = described.as_object();
      std::string verb(method);
      std::transform(verb.begin(), verb.end(), verb.begin(), ::toupper);
      text += fmt::format("\n## `{} {}`\n\n{}.\n", verb, std::string_view(path),
                          text_of(operation.at("summary")));
      text += headers_of(operation);
      if (const json::object* body = body_of(operation, schemas)) {
        text += "\n" + fields_table(*body);
      }
    }
  }
  for (const char* name : {"VideoParams", "GenerationParams"}) {
    text += fmt::format("\n## {}\n\n{}", name, fields_table(schemas.at(name).as_object()));
  }
  text +=
      "\n## Errors\n\nEvery answer that is not 2xx is `{\"detail\", \"error\": {\"code\", "
      "\"message\", \"field\", \"request_id\", \"retryable\", \"retry_after_s\"}}`.\n\n"
      "| status | code | meaning | retry |\n|---|---|---|---|\n";
  for (const Refusal& refusal : all_refusals()) {
    text += fmt::format("| {} | `{}` | {} | {} |\n", refusal.status, refusal.code, refusal.message,
                        is_retryable(refusal.status) ? "yes" : "");
  }
  return text;
}

}  // namespace tru::api
