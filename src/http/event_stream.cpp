#include "http/event_stream.h"

#include "http/exchange.h"
#include "http/server.h"
#include "http/session.h"
#include "http/text.h"

namespace tru::http {

void append_event(std::string& to, const Event& event) {
  if (!event.id.empty()) to.append("id: ").append(event.id).append("\n");
  if (!event.name.empty()) to.append("event: ").append(event.name).append("\n");
  // A carriage return ends a line too.
  std::string_view data = event.data;
  for (;;) {
    const auto end = data.find_first_of("\r\n");
    to.append("data: ").append(data.substr(0, end)).append("\n");
    if (end == std::string_view::npos) break;
    data.remove_prefix(end + (data.substr(end, 2) == "\r\n" ? 2 : 1));
  }
  to.append("\n");
}

Task<bool> EventStream::send(Event event) {
  frame_.clear();
  append_event(frame_, event);
  co_return co_await send_raw(frame_);
}

Task<bool> EventStream::send_raw(std::string_view frames) {
  co_return co_await exchange_->session_.send_stream(frames);
}

Task<bool> EventStream::wait(Wakeup& wakeup) {
  Session& session = exchange_->session_;
  const auto stop = exchange_->stop();
  while (!co_await wakeup.wait(session.limits_.heartbeat, stop)) {
    if (stop.stop_requested()) co_return false;
    if (!co_await send_raw(": alive\n\n")) co_return false;
  }
  co_return true;
}

Task<Response> EventStream::finish() {
  co_await exchange_->session_.end_stream();
  co_return left();
}

Response EventStream::left() {
  return {};
}

}  // namespace tru::http
