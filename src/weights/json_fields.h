// Checked access to the JSON of a checkpoint's files: every error names file, field, value and what
// is allowed. No exception of Boost.JSON leaves these functions.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tru::weights {

// One JSON object; nested at most 32 deep, no key twice in an object. `file` is for the messages.
Result<boost::json::object> parse_json_object(std::string_view text, std::string_view file);

// The whole of a regular file of at most max_bytes.
Result<std::string> read_text_file(const std::filesystem::path& path, std::uintmax_t max_bytes);

// For a message, on one line and not too long: a value as JSON, a text in quotes.
std::string describe(const boost::json::value& value);
std::string in_quotes(std::string_view text);

// The fields of one object. The first error is kept in `status` and the getters go on with an
// allowed value, so that a reader is a plain list of fields followed by one check of `status`.
// A null counts as absent. Ranges are inclusive.
class JsonFields {
 public:
  // object (null: nothing is present) and status must outlive this. prefix is "FILE: " or
  // "FILE: outer.".
  JsonFields(const boost::json::object* object, std::string prefix, Status& status)
      : object_(object), prefix_(std::move(prefix)), status_(status) {}

  bool has(std::string_view key) const { return find(key) != nullptr; }

  int integer(std::string_view key, int min, int max);
  int integer(std::string_view key, int min, int max, int fallback);
  std::int64_t integer64(std::string_view key, std::int64_t min, std::int64_t max);
  double number(std::string_view key, double min, double max);
  double number(std::string_view key, double min, double max, double fallback);
  bool boolean(std::string_view key, bool fallback);
  std::string text(std::string_view key, std::string_view fallback);
  // One of `allowed`; absent is the first of them.
  std::string choice(std::string_view key, std::initializer_list<std::string_view> allowed);
  // A list of at most max_size integers; a lone integer is a list of one.
  std::vector<int> integers(std::string_view key, std::size_t max_size, int min, int max);
  std::vector<double> numbers(std::string_view key, std::size_t size, double min, double max);
  // The fields of a nested object: none if it is absent.
  JsonFields object(std::string_view key);
  // As object(), but absent is an error.
  JsonFields required_object(std::string_view key);

  // Records an error about this key, unless one is recorded already.
  void fail_key(std::string_view key, std::string_view what);

 private:
  const boost::json::value* find(std::string_view key) const;
  void fail_value(std::string_view key, std::string_view allowed);
  const boost::json::value* required(std::string_view key);

  const boost::json::object* object_;
  std::string prefix_;
  Status& status_;
};

}  // namespace tru::weights
