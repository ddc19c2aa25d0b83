#include "jobs/event_log.h"

#include <algorithm>

namespace tru::jobs {

void EventLog::append(Event event) {
  std::lock_guard lock(mutex_);
  if (ended_) return;
  ended_ = std::holds_alternative<Done>(event) || std::holds_alternative<Failed>(event);
  events_.push_back(std::move(event));
  for (const auto& wake : listeners_) wake();
}

std::vector<NumberedEvent> EventLog::read(std::uint64_t after, std::size_t most) const {
  std::lock_guard lock(mutex_);
  std::vector<NumberedEvent> found;
  const std::uint64_t end = std::min<std::uint64_t>(events_.size(), after + most);
  for (std::uint64_t i = after; i < end; ++i) found.push_back({i + 1, events_[i]});
  return found;
}

std::uint64_t EventLog::last_number() const {
  std::lock_guard lock(mutex_);
  return events_.size();
}

bool EventLog::ended() const {
  std::lock_guard lock(mutex_);
  return ended_;
}

EventLog::Subscription EventLog::subscribe(std::function<void()> wake) {
  std::lock_guard lock(mutex_);
  listeners_.push_front(std::move(wake));
  return Subscription(*this, listeners_.begin());
}

EventLog::Subscription::~Subscription() {
  if (log_ == nullptr) return;
  std::lock_guard lock(log_->mutex_);
  log_->listeners_.erase(place_);
}

}  // namespace tru::jobs
