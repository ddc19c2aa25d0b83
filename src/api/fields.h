// The fields of a request, declared once. From one table come parsing (of JSON, and of the flat
// texts of a form or a query), validation with messages that name the field, the schema in
// openapi.json, and the documentation made of it.
//
//   struct Range { std::optional<double> from; };
//   template <>
//   struct Fields<Range> {
//     static constexpr std::string_view name = "Range";
//     static constexpr std::tuple table{field("from", &Range::from, "in seconds").least(0)};
//   };
//
// A member is an optional number, bool or text, a list of texts, a json::value that is taken as it
// is, or a struct that has Fields of its own. null is the same as absent; what is not declared is
// noted and otherwise ignored.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

#include "http/problem.h"

namespace tru::api {

namespace json = boost::json;

// What is allowed, whatever the type.
struct Rules {
  std::string_view name;
  std::string_view help;
  double lowest = -std::numeric_limits<double>::infinity();
  double highest = std::numeric_limits<double>::infinity();
  bool lowest_excluded = false;
  std::string_view choices{};        // "a|b"
  std::string_view excludes{};       // another field of the same struct
  std::size_t max_bytes = 64 << 10;  // of a text
  bool needed = false;
};

template <typename Owner, typename Value>
struct Field {
  Rules rules;
  Value Owner::*member;

  constexpr Field least(double v) const {
    return with([&](Rules& r) { r.lowest = v; });
  }
  constexpr Field most(double v) const {
    return with([&](Rules& r) { r.highest = v; });
  }
  constexpr Field above(double v) const {
    return with([&](Rules& r) { r.lowest = v, r.lowest_excluded = true; });
  }
  constexpr Field one_of(std::string_view v) const {
    return with([&](Rules& r) { r.choices = v; });
  }
  constexpr Field excludes(std::string_view v) const {
    return with([&](Rules& r) { r.excludes = v; });
  }
  constexpr Field bytes(std::size_t v) const {
    return with([&](Rules& r) { r.max_bytes = v; });
  }
  constexpr Field required() const {
    return with([](Rules& r) { r.needed = true; });
  }

  // The same field in a struct that inherits it.
  template <typename Heir>
  constexpr Field<Heir, Value> of() const {
    return {rules, member};
  }

 private:
  template <typename Change>
  constexpr Field with(Change change) const {
    Field copy = *this;
    change(copy.rules);
    return copy;
  }
};

template <typename Owner, typename Value>
constexpr Field<Owner, Value> field(std::string_view name, Value Owner::*member,
                                    std::string_view help) {
  return {{.name = name, .help = help}, member};
}

// To be specialised: see above.
template <typename T>
struct Fields;

template <typename T>
concept Declared = requires {
  Fields<T>::table;
};

// The table of Base, for a table of Heir: std::tuple_cat(inherited<Heir, Base>(), ...).
template <typename Heir, Declared Base>
constexpr auto inherited() {
  return std::apply([](const auto&... f) { return std::tuple{f.template of<Heir>()...}; },
                    Fields<Base>::table);
}

using Texts = std::multimap<std::string, std::string, std::less<>>;

// Names that a request had and no table knows.
using Names = std::vector<std::string>;

namespace detail {

using Texts = api::Texts;
using List = std::vector<std::string>;
template <typename T>
using Check = http::Expected<T>;

// Reads a value that is not null into a member, or says what is wrong with it. `place` is the
// field's full name.
Check<void> read(const Rules&, const std::string& place, const json::value&,
                 std::optional<double>&);
Check<void> read(const Rules&, const std::string& place, const json::value&,
                 std::optional<std::int64_t>&);
Check<void> read(const Rules&, const std::string& place, const json::value&, std::optional<bool>&);
Check<void> read(const Rules&, const std::string& place, const json::value&,
                 std::optional<std::string>&);
Check<void> read(const Rules&, const std::string& place, const json::value&, List&);
Check<void> read(const Rules&, const std::string& place, const json::value&, json::value&);

// The schema of such a member.
json::object schema(const Rules&, const std::optional<double>&);
json::object schema(const Rules&, const std::optional<std::int64_t>&);
json::object schema(const Rules&, const std::optional<bool>&);
json::object schema(const Rules&, const std::optional<std::string>&);
json::object schema(const Rules&, const List&);
json::object schema(const Rules&, const json::value&);

// The texts of that name as the JSON value they stand for: numbers and true or false where the
// member is not a text; null when they are empty.
enum class TextKind { number, boolean, text, list };
json::value from_texts(TextKind kind, const Texts& texts, std::string_view name);

template <typename Value>
constexpr TextKind text_kind() {
  if constexpr (std::is_same_v<Value, std::optional<bool>>) return TextKind::boolean;
  if constexpr (std::is_same_v<Value, std::optional<std::string>>) return TextKind::text;
  if constexpr (std::is_same_v<Value, List>) return TextKind::list;
  return TextKind::number;
}

http::Problem missing(const std::string& place);
http::Problem both_given(const std::string& place, std::string_view other);
http::Problem not_an_object(const std::string& place);

// Adds two members of an object schema that may not both be given.
void exclude(json::object& schema, std::string_view one, std::string_view other);

template <Declared T, typename Each>
void for_each_field(Each each) {
  std::apply([&](const auto&... fields) { (each(fields), ...); }, Fields<T>::table);
}

template <typename Owner, typename Value>
constexpr bool is_struct(const Field<Owner, Value>&) {
  return Declared<Value>;
}

struct Reader {
  Names& unknown;

  template <Declared T>
  Check<void> object(const json::object& from, const std::string& place, T& to) {
    Check<void> good;
    std::size_t known = 0;
    for_each_field<T>([&](const auto& f) {
      if (good) good = member(from, place, f, to);
      known += from.contains(f.rules.name);
    });
    if (!good || known == from.size()) return good;
    for (const auto& [key, value] : from) {
      bool declared = false;
      for_each_field<T>([&](const auto& f) { declared |= f.rules.name == std::string_view(key); });
      if (!declared) unknown.push_back(place + std::string(key));
    }
    return good;
  }

  template <typename Owner, typename Value, typename T>
  Check<void> member(const json::object& from, const std::string& place,
                     const Field<Owner, Value>& f, T& to) {
    const Rules& rules = f.rules;
    const std::string full = place + std::string(rules.name);
    const json::value* value = from.if_contains(rules.name);
    if (value == nullptr || value->is_null()) {
      if (rules.needed) return http::refuse(missing(full));
      return {};
    }
    if constexpr (Declared<Value>) {
      if (!value->is_object()) return http::refuse(not_an_object(full));
      return object(value->get_object(), full + ".", to.*f.member);
    } else {
      const json::value* other =
          rules.excludes.empty() ? nullptr : from.if_contains(rules.excludes);
      if (other != nullptr && !other->is_null()) {
        return http::refuse(both_given(full, rules.excludes));
      }
      return read(rules, full, *value, to.*f.member);
    }
  }

  // Of flat texts: members that are structs have their fields among the others.
  template <Declared T>
  Check<void> texts(const Texts& from, T& to) {
    Check<void> good;
    json::object own;
    for_each_field<T>([&](const auto& f) {
      using Value = std::remove_reference_t<decltype(to.*f.member)>;
      if constexpr (Declared<Value>) {
        if (good) good = texts(from, to.*f.member);
      } else if (from.contains(f.rules.name)) {
        own[f.rules.name] = from_texts(text_kind<Value>(), from, f.rules.name);
      }
    });
    for_each_field<T>([&](const auto& f) {
      if constexpr (!Declared<std::remove_reference_t<decltype(to.*f.member)>>) {
        if (good) good = member(own, "", f, to);
      }
    });
    return good;
  }
};

template <Declared T>
bool knows(std::string_view name) {
  bool found = false;
  for_each_field<T>([&](const auto& f) {
    using Value = std::remove_reference_t<decltype(std::declval<T&>().*f.member)>;
    if constexpr (Declared<Value>) {
      found |= knows<Value>(name);
    } else {
      found |= f.rules.name == name;
    }
  });
  return found;
}

}  // namespace detail

// The request in a JSON body. json_invalid, json_too_deep, field_invalid, field_missing.
http::Expected<json::object> parse_object(std::string_view text);

template <Declared T>
http::Expected<T> from_json(const json::object& object, Names& unknown) {
  T request;
  const auto good = detail::Reader{unknown}.object(object, "", request);
  if (!good) return http::refuse(good.error());
  return request;
}

// The request in a form's or a query's texts.
template <Declared T>
http::Expected<T> from_texts(const Texts& texts, Names& unknown) {
  T request;
  const auto good = detail::Reader{unknown}.texts(texts, request);
  if (!good) return http::refuse(good.error());
  for (const auto& [name, text] : texts) {
    if (!detail::knows<T>(name)) unknown.push_back(name);
  }
  return request;
}

// JSON Schema of T (of OpenAPI 3.1). Structs inside are references into components/schemas, unless
// `flat`: then their fields stand among the others, as in a form.
template <Declared T>
json::object schema_of(bool flat = false) {
  json::object properties;
  json::array required;
  json::object schema{{"type", "object"}};
  const T example{};
  detail::for_each_field<T>([&](const auto& f) {
    using Value = std::remove_cvref_t<decltype(example.*f.member)>;
    if (f.rules.needed) required.emplace_back(f.rules.name);
    if constexpr (Declared<Value>) {
      if (flat) {
        json::object inner = schema_of<Value>(true);
        for (auto& property : inner["properties"].get_object()) properties.insert(property);
      } else {
        const std::string reference = "#/components/schemas/" + std::string(Fields<Value>::name);
        properties[f.rules.name] = {
            {"anyOf", json::array{{{"$ref", reference}}, {{"type", "null"}}}},
            {"description", f.rules.help}};
      }
    } else {
      properties[f.rules.name] = detail::schema(f.rules, example.*f.member);
      if (!f.rules.excludes.empty()) detail::exclude(schema, f.rules.name, f.rules.excludes);
    }
  });
  schema["properties"] = std::move(properties);
  if (!required.empty()) schema["required"] = std::move(required);
  return schema;
}

}  // namespace tru::api
