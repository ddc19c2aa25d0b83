#include "weights/json_fields.h"

#include <boost/json/parser.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <fstream>

#include "base/json_keys.h"

namespace tru::weights {
namespace {

namespace json = boost::json;

std::string shortened(std::string text) {
  constexpr std::size_t kMaxLength = 80;
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';  // a message is one line
  }
  if (text.size() <= kMaxLength) return text;
  std::size_t end = kMaxLength;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
    --end;  // whole characters
  return text.substr(0, end) + "...";
}

}  // namespace

Result<json::object> parse_json_object(std::string_view text, std::string_view file) {
  if (const auto key = key_given_twice(text)) {
    return fail(ErrorCode::model_invalid, "{}: the key {} occurs twice", file, in_quotes(*key));
  }
  json::parser parser;
  json::error_code ec;
  const std::size_t used = parser.write(text.data(), text.size(), ec);
  if (ec) {
    return fail(ErrorCode::model_invalid, "{}: not valid JSON near byte {} ({})", file, used,
                ec.message());
  }
  json::value value = parser.release();
  if (!value.is_object()) {
    return fail(ErrorCode::model_invalid, "{}: a JSON object is expected, found {}", file,
                describe(value));
  }
  return std::move(value.get_object());
}

Result<std::string> read_text_file(const std::filesystem::path& path, std::uintmax_t max_bytes) {
  std::error_code ec;
  if (!std::filesystem::is_regular_file(path, ec)) {
    return fail(ErrorCode::model_invalid, "{}: no such file", path.string());
  }
  const std::uintmax_t size = std::filesystem::file_size(path, ec);
  if (ec || size > max_bytes) {
    return fail(ErrorCode::model_invalid, "{}: {} bytes; allowed are at most {}", path.string(),
                size, max_bytes);
  }
  std::string text(size, '\0');
  std::ifstream in(path, std::ios::binary);
  if (!in.read(text.data(), static_cast<std::streamsize>(size))) {
    return fail(ErrorCode::model_invalid, "{}: cannot be read", path.string());
  }
  return text;
}

std::string describe(const json::value& value) {
  // As people write it: the JSON library writes 0.5 as 5E-1.
  if (const double* number = value.if_double()) return fmt::to_string(*number);
  return shortened(json::serialize(value));
}

std::string in_quotes(std::string_view text) {
  return shortened(json::serialize(json::string_view(text.data(), text.size())));
}

const json::value* JsonFields::find(std::string_view key) const {
  if (object_ == nullptr) return nullptr;
  const json::value* value = object_->if_contains(json::string_view(key.data(), key.size()));
  return value == nullptr || value->is_null() ? nullptr : value;
}

const json::value* JsonFields::required(std::string_view key) {
  const json::value* value = find(key);
  if (value == nullptr) fail_key(key, "is missing");
  return value;
}

void JsonFields::fail_key(std::string_view key, std::string_view what) {
  if (status_) status_ = fail(ErrorCode::model_invalid, "{}{} {}", prefix_, key, what);
}

void JsonFields::fail_value(std::string_view key, std::string_view allowed) {
  fail_key(key, fmt::format("is {}; allowed: {}", describe(*find(key)), allowed));
}

int JsonFields::integer(std::string_view key, int min, int max) {
  return static_cast<int>(integer64(key, min, max));
}

int JsonFields::integer(std::string_view key, int min, int max, int fallback) {
  return has(key) ? integer(key, min, max) : fallback;
}

std::int64_t JsonFields::integer64(std::string_view key, std::int64_t min, std::int64_t max) {
  const json::value* value = required(key);
  if (value == nullptr) return min;
  const std::int64_t* number = value->if_int64();
  if (number != nullptr && *number >= min && *number <= max) return *number;
  fail_value(key,
             min == max ? fmt::to_string(min) : fmt::format("an integer from {} to {}", min, max));
  return min;
}

double JsonFields::number(std::string_view key, double min, double max) {
  const json::value* value = required(key);
  if (value == nullptr) return min;
  if (value->is_number()) {
    const double number = value->to_number<double>();
    if (number >= min && number <= max) return number;
  }
  fail_value(key,
             min == max ? fmt::to_string(min) : fmt::format("a number from {} to {}", min, max));
  return min;
}

double JsonFields::number(std::string_view key, double min, double max, double fallback) {
  return has(key) ? number(key, min, max) : fallback;
}

bool JsonFields::boolean(std::string_view key, bool fallback) {
  const json::value* value = find(key);
  if (value == nullptr) return fallback;
  if (const bool* flag = value->if_bool()) return *flag;
  fail_value(key, "true or false");
  return fallback;
}

std::string JsonFields::text(std::string_view key, std::string_view fallback) {
  const json::value* value = find(key);
  if (value == nullptr) return std::string(fallback);
  if (const json::string* string = value->if_string()) {
    return std::string(string->data(), string->size());
  }
  fail_value(key, "a string");
  return std::string(fallback);
}

std::string JsonFields::choice(std::string_view key,
                               std::initializer_list<std::string_view> allowed) {
  const std::string value = text(key, *allowed.begin());
  for (const std::string_view name : allowed) {
    if (value == name) return value;
  }
  fail_value(key, fmt::format("{}", fmt::join(allowed, ", ")));
  return std::string(*allowed.begin());
}

std::vector<int> JsonFields::integers(std::string_view key, std::size_t max_size, int min,
                                      int max) {
  const json::value* value = required(key);
  if (value == nullptr) return {};
  if (!value->is_array()) return {integer(key, min, max)};
  std::vector<int> result;
  for (const json::value& element : value->get_array()) {
    const std::int64_t* number = element.if_int64();
    if (number == nullptr || *number < min || *number > max || result.size() == max_size) {
      fail_value(key, fmt::format("at most {} integers from {} to {}", max_size, min, max));
      return {};
    }
    result.push_back(static_cast<int>(*number));
  }
  return result;
}

std::vector<double> JsonFields::numbers(std::string_view key, std::size_t size, double min,
                                        double max) {
  std::vector<double> result;
  if (const json::value* value = required(key); value != nullptr && value->is_array()) {
    for (const json::value& element : value->get_array()) {
      const double number = element.is_number() ? element.to_number<double>() : NAN;
      if (number >= min && number <= max) result.push_back(number);
    }
    if (result.size() == size && value->get_array().size() == size) return result;
  }
  if (has(key)) fail_value(key, fmt::format("{} numbers from {} to {}", size, min, max));
  return std::vector<double>(size, min);
}

JsonFields JsonFields::object(std::string_view key) {
  const json::value* value = find(key);
  const json::object* object = value == nullptr ? nullptr : value->if_object();
  if (value != nullptr && object == nullptr) fail_value(key, "an object");
  return JsonFields(object, fmt::format("{}{}.", prefix_, key), status_);
}

JsonFields JsonFields::required_object(std::string_view key) {
  required(key);
  return object(key);
}

}  // namespace tru::weights
