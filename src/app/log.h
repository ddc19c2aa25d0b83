// The service's log: one line of JSON for each event, on stderr or in a file.
#pragma once

#include <boost/json.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tru::app {

enum class LogLevel { debug, info, warning, error };

// Any thread may write; lines are never mixed.
class Log {
 public:
  // level: a name of LogLevel.
  explicit Log(std::string_view level) : Log(level, stderr) {}

  // Appends every line to this file, which only its owner may read. config_invalid if it can't be
  // opened.
  static Result<std::unique_ptr<Log>> to_file(const std::filesystem::path& file);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Whether lines of this level are written at all.
  bool takes(std::string_view level) const;

  // {"time","level","event", fields...}, at most 8 KiB: longer texts are cut.
  void write(std::string_view level, std::string_view event, boost::json::object fields);

 private:
  Log(std::string_view level, std::FILE* file);

  const LogLevel least_;
  std::FILE* const file_;
  std::mutex mutex_;
};

}  // namespace tru::app
