// The service's log: one line of JSON on stderr for each event.
#pragma once

#include <boost/json.hpp>
#include <mutex>
#include <string>
#include <string_view>

namespace tru::app {

enum class LogLevel { debug, info, warning, error };

// Any thread may write; lines are never mixed.
class Log {
 public:
  // level: a name of LogLevel.
  explicit Log(std::string_view level);

  // {"time","level","event", fields...}, at most 8 KiB: longer texts are cut.
  void write(std::string_view level, std::string_view event, boost::json::object fields);

 private:
  const LogLevel least_;
  std::mutex mutex_;
};

}  // namespace tru::app
