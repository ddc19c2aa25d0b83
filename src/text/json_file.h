// Reading the checkpoint's small JSON and text files.
#pragma once

#include <boost/json.hpp>
#include <filesystem>
#include <string>

#include "base/result.h"

namespace tru::text {

// The whole file. model_invalid if it cannot be read or is larger than 256 MiB.
Result<std::string> read_text_file(const std::filesystem::path& path);

// The file as JSON, allocated in memory. model_invalid names the file and what is wrong.
Result<boost::json::value> read_json_file(const std::filesystem::path& path,
                                          boost::json::storage_ptr memory = {});

// Members of an object; nullptr or the fallback where they are absent or of another type.
const boost::json::value* find_member(const boost::json::value& object, std::string_view key);
const boost::json::string* find_string(const boost::json::value& object, std::string_view key);
bool find_bool(const boost::json::value& object, std::string_view key, bool fallback);

}  // namespace tru::text
