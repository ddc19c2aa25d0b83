#include "app/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace tru::app {
namespace {

constexpr int kBarWidth = 30;
constexpr double kRedrawMs = 80;

std::string_view unit(backend::Stage stage) {
  switch (stage) {
    case backend::Stage::download:
      return "bytes";
    case backend::Stage::decode:
    case backend::Stage::vision:
      return "frame pairs";
    default:
      return "tokens";
  }
}

}  // namespace

std::string format_duration(double seconds) {
  if (seconds < 59.5) return fmt::format("{:.0f} s", seconds);
  const int total = static_cast<int>(seconds + 0.5);
  if (total < 3600) return fmt::format("{}:{:02} min", total / 60, total % 60);
  return fmt::format("{}:{:02} h", total / 3600, total % 3600 / 60);
}

Progress::Progress(bool show, bool stream_text)
    : show_(show), stream_text_(stream_text), terminal_(isatty(STDERR_FILENO) != 0) {}

void Progress::on_progress(backend::Stage stage, std::int64_t done, std::int64_t total) {
  // The answer itself shows how generation goes; what has no known end has no bar.
  if (!show_ || stage == backend::Stage::generate || total == 0) return;
  Bar& bar = bars_[static_cast<std::size_t>(stage)];
  if (!bar.since) bar.since.emplace();
  bar.done = done;
  bar.total = total;
  const bool finishes = done >= total && !bar.finished;
  bar.finished |= finishes;
  if (!terminal_) {
    if (!finishes) return;
    fmt::print(stderr, "{}: {} {}, {:.1f} s\n", to_string(stage), done, unit(stage),
               bar.since->elapsed_ms() / 1000);
    return;
  }
  if (!finishes && last_draw_ && last_draw_->elapsed_ms() < kRedrawMs) return;
  draw();
}

void Progress::draw() {
  clear();
  for (std::size_t i = 0; i < bars_.size(); ++i) {
    const Bar& bar = bars_[i];
    if (bar.total == 0) continue;
    const auto stage = static_cast<backend::Stage>(i);
    const double share = static_cast<double>(bar.done) / static_cast<double>(bar.total);
    const int filled = std::clamp(static_cast<int>(share * kBarWidth), 0, kBarWidth);
    std::string left;
    if (bar.done < bar.total && share > 0) {
      left = format_duration(bar.since->elapsed_ms() / 1000 * (1 - share) / share) + " left";
    }
    fmt::print(stderr, "{:8} [{:#<{}}{:.<{}}] {}/{} {}  {}\n", to_string(stage), "", filled, "",
               kBarWidth - filled, bar.done, bar.total, unit(stage), left);
    ++lines_drawn_;
  }
  last_draw_.emplace();
}

void Progress::clear() {
  if (lines_drawn_ > 0) fmt::print(stderr, "\x1b[{}A\x1b[J", lines_drawn_);
  lines_drawn_ = 0;
}

void Progress::on_text(std::string_view text) {
  if (!stream_text_) return;
  clear();
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

}  // namespace tru::app
