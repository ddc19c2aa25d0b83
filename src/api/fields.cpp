#include "api/fields.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <unordered_set>

#include "api/errors.h"
#include "base/json_keys.h"

namespace tru::api {
namespace detail {
namespace {

http::Problem wrong_type(const std::string& place, std::string_view wanted) {
  return problem(refusal::field_invalid, place, "{} must be {}", place, wanted);
}

std::vector<std::string_view> split(std::string_view choices) {
  std::vector<std::string_view> list;
  while (!choices.empty()) {
    const std::size_t end = choices.find('|');
    list.push_back(choices.substr(0, end));
    choices.remove_prefix(end == std::string_view::npos ? choices.size() : end + 1);
  }
  return list;
}

// "above 0 and at most 60", "from 1 to 2048", "at least 0".
std::string range_text(const Rules& rules) {
  const bool has_low = std::isfinite(rules.lowest), has_high = std::isfinite(rules.highest);
  if (has_low && has_high && !rules.lowest_excluded) {
    return fmt::format("from {} to {}", rules.lowest, rules.highest);
  }
  std::string text;
  if (has_low) {
    text = fmt::format("{} {}", rules.lowest_excluded ? "above" : "at least", rules.lowest);
  }
  if (has_high) text += fmt::format("{}at most {}", has_low ? " and " : "", rules.highest);
  return text;
}

Check<void> check_range(const Rules& rules, const std::string& place, double value) {
  const bool low = rules.lowest_excluded ? value > rules.lowest : value >= rules.lowest;
  if (low && value <= rules.highest) return {};
  return http::refuse(problem(refusal::field_invalid, place, "{} is {}: it must be {}", place,
                              value, range_text(rules)));
}

std::optional<double> number_of(const json::value& value) {
  if (value.is_int64()) return static_cast<double>(value.get_int64());
  if (value.is_uint64()) return static_cast<double>(value.get_uint64());
  if (value.is_double() && std::isfinite(value.get_double())) return value.get_double();
  return std::nullopt;
}

json::object described(const Rules& rules, std::string_view type) {
  json::object schema{{"type", json::array{type, "null"}}, {"description", rules.help}};
  if (rules.needed) schema["type"] = type;
  return schema;
}

// Bounds as whole numbers where they are: 1 and not 1.0.
json::value bound(double value) {
  if (value == std::floor(value) && std::abs(value) < 9e15) {
    return static_cast<std::int64_t>(value);
  }
  return value;
}

void add_range(const Rules& rules, json::object& schema) {
  if (std::isfinite(rules.lowest)) {
    schema[rules.lowest_excluded ? "exclusiveMinimum" : "minimum"] = bound(rules.lowest);
  }
  if (std::isfinite(rules.highest)) schema["maximum"] = bound(rules.highest);
}

}  // namespace

Check<void> read(const Rules& rules, const std::string& place, const json::value& value,
                 std::optional<double>& to) {
  to = number_of(value);
  if (!to) return http::refuse(wrong_type(place, "a number"));
  return check_range(rules, place, *to);
}

Check<void> read(const Rules& rules, const std::string& place, const json::value& value,
                 std::optional<std::int64_t>& to) {
  const std::optional<double> number = number_of(value);
  // 4.0 is a whole number too; beyond 2^63 there is nothing to ask for.
  if (!number || *number != std::floor(*number) || std::abs(*number) >= 0x1p63) {
    return http::refuse(wrong_type(place, "a whole number"));
  }
  to = value.is_int64() ? value.get_int64() : static_cast<std::int64_t>(*number);
  return check_range(rules, place, *number);
}

Check<void> read(const Rules&, const std::string& place, const json::value& value,
                 std::optional<bool>& to) {
  if (!value.is_bool()) return http::refuse(wrong_type(place, "true or false"));
  to = value.get_bool();
  return {};
}

Check<void> read(const Rules& rules, const std::string& place, const json::value& value,
                 std::optional<std::string>& to) {
  if (!value.is_string()) return http::refuse(wrong_type(place, "a text"));
  const std::string_view text = value.get_string();
  if (text.size() > rules.max_bytes) {
    return http::refuse(problem(
        rules.name == "prompt" ? refusal::prompt_too_large : http::refusal::field_too_large, place,
        "{} has {} bytes: at most {} are allowed", place, text.size(), rules.max_bytes));
  }
  if (rules.needed && text.empty()) return http::refuse(missing(place));
  if (!rules.choices.empty()) {
    const auto choices = split(rules.choices);
    if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
      return http::refuse(problem(refusal::field_invalid, place, "{} must be one of {}", place,
                                  fmt::join(choices, ", ")));
    }
  }
  to.emplace(text);
  return {};
}

Check<void> read(const Rules& rules, const std::string& place, const json::value& value, List& to) {
  if (value.is_string()) {
    to.emplace_back(value.get_string());
  } else if (value.is_array()) {
    for (const json::value& item : value.get_array()) {
      if (!item.is_string()) return http::refuse(wrong_type(place, "a text or a list of texts"));
      to.emplace_back(item.get_string());
    }
  } else {
    return http::refuse(wrong_type(place, "a text or a list of texts"));
  }
  if (static_cast<double>(to.size()) > rules.highest) {
    return http::refuse(problem(refusal::field_invalid, place,
                                "{} has {} entries: at most {} are allowed", place, to.size(),
                                rules.highest));
  }
  for (const std::string& text : to) {
    if (text.empty() || text.size() > rules.max_bytes) {
      return http::refuse(problem(refusal::field_invalid, place,
                                  "each entry of {} must have from 1 to {} bytes", place,
                                  rules.max_bytes));
    }
  }
  return {};
}

Check<void> read(const Rules&, const std::string&, const json::value& value, json::value& to) {
  to = value;
  return {};
}

json::object schema(const Rules& rules, const std::optional<double>&) {
  json::object schema = described(rules, "number");
  add_range(rules, schema);
  return schema;
}

json::object schema(const Rules& rules, const std::optional<std::int64_t>&) {
  json::object schema = described(rules, "integer");
  schema["format"] = "int64";
  add_range(rules, schema);
  return schema;
}

json::object schema(const Rules& rules, const std::optional<bool>&) {
  return described(rules, "boolean");
}

json::object schema(const Rules& rules, const std::optional<std::string>&) {
  json::object schema = described(rules, "string");
  if (rules.needed) schema["minLength"] = 1;
  if (!rules.choices.empty()) {
    json::array choices;
    for (const std::string_view choice : split(rules.choices)) choices.emplace_back(choice);
    if (!rules.needed) choices.emplace_back(nullptr);
    schema["enum"] = std::move(choices);
  }
  return schema;
}

json::object schema(const Rules& rules, const List&) {
  const json::object entry{{"type", "string"}, {"minLength", 1}};
  json::object list{{"type", "array"}, {"items", entry}};
  if (std::isfinite(rules.highest)) list["maxItems"] = bound(rules.highest);
  return {{"anyOf", json::array{entry, list, {{"type", "null"}}}}, {"description", rules.help}};
}

json::object schema(const Rules& rules, const json::value&) {
  return {{"description", rules.help}};
}

json::value from_texts(TextKind kind, const Texts& texts, std::string_view name) {
  const auto [first, last] = texts.equal_range(name);
  const std::string& text = first->second;
  if (text.empty()) return nullptr;
  if (kind == TextKind::boolean) {
    if (text == "true" || text == "1" || text == "on" || text == "yes") return true;
    if (text == "false" || text == "0" || text == "off" || text == "no") return false;
  }
  if (kind == TextKind::number || (kind == TextKind::list && text.front() == '[')) {
    boost::system::error_code broken;
    json::value value = json::parse(text, broken);
    if (!broken) return value;
  }
  if (kind == TextKind::list) {
    json::array list;
    for (auto at = first; at != last; ++at) list.emplace_back(at->second);
    return list;
  }
  return json::value(json::string(text));
}

http::Problem missing(const std::string& place) {
  return problem(refusal::field_missing, place, "{} is required", place);
}

http::Problem both_given(const std::string& place, std::string_view other) {
  return problem(refusal::field_invalid, place, "{} and {} exclude each other: give one", place,
                 other);
}

http::Problem not_an_object(const std::string& place) {
  return wrong_type(place, "an object");
}

void exclude(json::object& schema, std::string_view one, std::string_view other) {
  const json::object given{{"not", {{"type", "null"}}}};
  schema["not"] = {{"required", json::array{one, other}},
                   {"properties", {{one, given}, {other, given}}}};
}

}  // namespace detail

namespace {

constexpr std::size_t kMaxDepth = 32;

}  // namespace

http::Expected<json::object> parse_object(std::string_view text) {
  json::parse_options options;
  options.max_depth = kMaxDepth;
  json::error_code broken;
  json::value value = json::parse(json::string_view(text.data(), text.size()), broken, {}, options);
  if (broken == json::error::too_deep) return http::refuse(refusal::json_too_deep);
  if (broken) return http::refuse(refusal::json_invalid);
  if (!value.is_object()) {
    return http::refuse(problem(refusal::field_invalid, "", "the body must be a JSON object"));
  }
  if (const auto key = key_given_twice(text)) {
    return http::refuse(problem(refusal::json_invalid, *key, "the body has a key twice: {}", *key));
  }
  return std::move(value.get_object());
}

}  // namespace tru::api
