// Progress of a question on stderr: on a terminal, a bar per stage with the time left; else one
// line per finished stage.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "backend/backend.h"
#include "base/stopwatch.h"

namespace tru::app {

// "12 s", "3:05 min", "1:20 h".
std::string format_duration(double seconds);

class Progress : public backend::AnswerListener {
 public:
  // stream_text: print the answer on stdout as it comes.
  Progress(bool show, bool stream_text);

  void on_progress(backend::Stage stage, std::int64_t done, std::int64_t total) override;
  void on_text(std::string_view text) override;

  // Removes the bars, so that other lines can be printed.
  void clear();

 private:
  struct Bar {
    std::int64_t done = 0;
    std::int64_t total = 0;
    std::optional<Stopwatch> since;  // its first report
    bool finished = false;
  };

  void draw();

  const bool show_;
  const bool stream_text_;
  const bool terminal_;
  std::array<Bar, 6> bars_;  // by Stage
  int lines_drawn_ = 0;
  std::optional<Stopwatch> last_draw_;
};

}  // namespace tru::app
