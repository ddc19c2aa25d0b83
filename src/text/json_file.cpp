#include "text/json_file.h"

#include <fstream>
#include <system_error>

namespace tru::text {
namespace {

constexpr std::uintmax_t kMaxFileBytes = 256 << 20;

}  // namespace

Result<std::string> read_text_file(const std::filesystem::path& path) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) {
    return fail(ErrorCode::model_invalid, "cannot read {}: {}", path.string(), error.message());
  }
  if (size > kMaxFileBytes) {
    return fail(ErrorCode::model_invalid, "{} has {} bytes; at most {} are allowed", path.string(),
                size, kMaxFileBytes);
  }
  std::string text(size, '\0');
  std::ifstream file(path, std::ios::binary);
  if (!file.read(text.data(), static_cast<std::streamsize>(size))) {
    return fail(ErrorCode::model_invalid, "cannot read {}", path.string());
  }
  return text;
}

Result<boost::json::value> read_json_file(const std::filesystem::path& path,
                                          boost::json::storage_ptr memory) {
  TRU_TRY(const std::string text, read_text_file(path));
  boost::system::error_code error;
  boost::json::value value = boost::json::parse(text, error, std::move(memory));
  if (error) {
    return fail(ErrorCode::model_invalid, "{} is not valid JSON: {}", path.string(),
                error.message());
  }
  return value;
}

const boost::json::value* find_member(const boost::json::value& object, std::string_view key) {
  const boost::json::object* members = object.if_object();
  return members == nullptr ? nullptr : members->if_contains(key);
}

const boost::json::string* find_string(const boost::json::value& object, std::string_view key) {
  const boost::json::value* member = find_member(object, key);
  return member == nullptr ? nullptr : member->if_string();
}

bool find_bool(const boost::json::value& object, std::string_view key, bool fallback) {
  const boost::json::value* member = find_member(object, key);
  const bool* flag = member == nullptr ? nullptr : member->if_bool();
  return flag == nullptr ? fallback : *flag;
}

}  // namespace tru::text
