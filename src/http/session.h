// One connection's life: a request after the other, each from its head to the end of its answer.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "http/client_address.h"
#include "http/connection.h"
#include "http/exchange.h"
#include "http/head_scanner.h"
#include "http/server.h"
#include "http/task.h"

namespace tru::http {

// What all sessions of a server share. On the io thread, but for what stats and workers are.
struct ServerContext {
  const ServerConfig& config;
  const Router& router;
  ServerStats& stats;
  Workers& workers;
  ClientPlaces places;
  bool draining = false;  // the server shuts down
  std::string date;       // now, as the field Date has it
};

class Session {
 public:
  Session(Connection connection, ServerContext& context);

  // Serves requests until the connection ends.
  Task<void> run();

  // Answers without reading anything, then ends the connection.
  Task<void> turn_away(const Refusal& why);

  // From the server, several times a second.
  void check(Connection::Clock::time_point now);

  // Between requests, and since when. A session that is idle can be ended by cut() at any time.
  bool idle() const { return idle_; }
  Connection::Clock::time_point idle_since() const { return idle_since_; }

  void request_stop() { stop_.request_stop(); }
  void cut() {
    idle_ = false;
    connection_.close();
  }

 private:
  friend class Exchange;
  friend class EventStream;

  Task<Expected<std::optional<RequestHead>>> read_head();
  Task<bool> serve(RequestHead head);
  Task<Response> respond(Exchange& exchange);
  Task<Response> run_handler(Exchange& exchange);
  Task<void> answer_unread(const Problem& problem);

  Task<bool> send(const Exchange* exchange, Response response, bool keep_alive);
  Task<bool> send_file(FileSlice slice);
  Task<bool> start_stream(const Exchange& exchange, Headers headers);
  Task<bool> send_stream(std::string_view bytes);
  Task<void> end_stream();
  void begin_head(const Exchange* exchange, int status, Headers headers, bool keep_alive);
  Response render(const Problem& problem, std::string_view id, const Exchange* exchange) const;
  void log(const Exchange* exchange, std::string_view id, int status, std::string_view code);

  Connection connection_;
  ServerContext& context_;
  const Limits& limits_;
  bool idle_ = false;
  Connection::Clock::time_point idle_since_{};

  // Of the present request.
  std::stop_source stop_;
  Connection::Clock::time_point started_{};
  std::uint64_t sent_before_ = 0;  // of bytes_sent(), head of the answer included
  bool keep_alive_ = false;
  bool chunked_ = false;       // the stream's framing
  bool stream_open_ = false;   // more may be sent
  bool stream_works_ = false;  // all that was sent reached the kernel
  std::string out_;            // reused for heads and frames
};

}  // namespace tru::http
