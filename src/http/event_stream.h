// The answer of a handler that sends server-sent events.
//
//   EventStream events = co_await exchange.start_events();
//   do {
//     for (const auto& event : log.after(cursor))       // what other threads wrote meanwhile
//       if (!co_await events.send(event)) co_return events.left();
//   } while (!log.ended() && co_await events.wait(wakeup));
//   co_return co_await events.finish();
//
// send() returns when the kernel took the bytes, so nothing piles up here for a slow reader; one
// that takes nothing for Limits::write_timeout is cut off.
#pragma once

#include <string>
#include <string_view>

#include "http/response.h"
#include "http/task.h"
#include "http/wakeup.h"

namespace tru::http {

class Exchange;

struct Event {
  std::string_view id;    // empty: no such line
  std::string_view name;  // empty: no such line (OpenAI's streams have data only)
  std::string_view data;  // may hold line breaks
};

class EventStream {
 public:
  // False when the client is gone: end the handler.
  Task<bool> send(Event event);

  // Sends bytes that are framed already, for several events at once.
  Task<bool> send_raw(std::string_view frames);

  // Waits for wakeup.notify(), with a comment as heartbeat every Limits::heartbeat. False when the
  // client is gone or the server shuts down.
  Task<bool> wait(Wakeup& wakeup);

  // Ends the stream. What the handler returns.
  Task<Response> finish();

  // What the handler returns when the client is gone.
  static Response left();

 private:
  friend class Exchange;
  explicit EventStream(Exchange& exchange) : exchange_(&exchange) {}

  Exchange* exchange_;
  std::string frame_;  // reused by send()
};

// Appends one event in the wire's form, for send_raw().
void append_event(std::string& to, const Event& event);

}  // namespace tru::http
