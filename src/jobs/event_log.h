// What happened to one request, in order, kept so that a reader can come late or come back.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "pipeline/question.h"

namespace tru::jobs {

struct Queued {
  std::int64_t position = 0;  // requests ahead of this one
};
struct Progress {
  backend::Stage stage = backend::Stage::decode;
  std::int64_t done = 0;
  std::int64_t total = 0;
};
struct Text {
  std::string text;                          // whole characters
  std::vector<backend::OutputToken> tokens;  // those it is made of, if logprobs were asked for
};
struct Done {
  std::shared_ptr<const pipeline::Answer> answer;
};
struct Failed {
  Error error;
};
// Done or Failed is the last event of every request, and there is exactly one.
using Event = std::variant<Queued, Progress, Text, Done, Failed>;

struct NumberedEvent {
  std::uint64_t number = 0;  // from 1, without gaps
  Event event;
};

// Any thread may call anything.
class EventLog {
 public:
  // After the last event nothing is appended any more.
  void append(Event event);

  // At most `most` events that come after number `after`.
  std::vector<NumberedEvent> read(std::uint64_t after, std::size_t most = 256) const;

  std::uint64_t last_number() const;
  bool ended() const;
  // What the last event says, if it is Failed.
  std::optional<Error> failure() const;

  // What the events hold in memory, roughly.
  std::size_t size_bytes() const;

  // Calls `wake` after every append until the result is destroyed. It runs on the appending thread,
  // must be quick and must not call the log.
  class Subscription;
  [[nodiscard]] Subscription subscribe(std::function<void()> wake);

 private:
  using Listeners = std::list<std::function<void()>>;

  mutable std::mutex mutex_;
  std::deque<Event> events_;
  bool ended_ = false;
  std::size_t size_bytes_ = 0;
  Listeners listeners_;
};

class EventLog::Subscription {
 public:
  Subscription(Subscription&& other) noexcept : log_(other.log_), place_(other.place_) {
    other.log_ = nullptr;
  }
  Subscription& operator=(Subscription&&) = delete;
  ~Subscription();

 private:
  friend class EventLog;
  Subscription(EventLog& log, Listeners::iterator place) : log_(&log), place_(place) {}

  EventLog* log_;
  Listeners::iterator place_;
};

}  // namespace tru::jobs
