#include "jobs/event_log.h"

#include <algorithm>

namespace tru::jobs {
namespace {

// Tokens with their alternatives are what may be large.
std::size_t size_of(const std::vector<backend::OutputToken>& tokens) {
  std::size_t bytes = 0;
  for (const backend::OutputToken& token : tokens) {
    bytes += sizeof(token) + token.top_logprobs.size() * sizeof(backend::AlternativeToken);
  }
  return bytes;
}

std::size_t size_of(const Event& event) {
  std::size_t bytes = sizeof(event);
  if (const auto* text = std::get_if<Text>(&event)) {
    bytes += text->text.size() + size_of(text->tokens);
  } else if (const auto* done = std::get_if<Done>(&event)) {
    bytes += sizeof(pipeline::Answer) + done->answer->generation.text.size() +
             size_of(done->answer->generation.tokens);
    for (const pipeline::VideoReport& video : done->answer->videos) {
      bytes += sizeof(video) + video.plan.frames.size() * sizeof(video.plan.frames.front());
    }
  }
  return bytes;
}

}  // namespace

void EventLog::append(Event event) {
  std::lock_guard lock(mutex_);
  if (ended_) return;
  ended_ = std::holds_alternative<Done>(event) || std::holds_alternative<Failed>(event);
  size_bytes_ += size_of(event);
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

std::optional<Error> EventLog::failure() const {
  std::lock_guard lock(mutex_);
  const auto* failed = events_.empty() ? nullptr : std::get_if<Failed>(&events_.back());
  return failed == nullptr ? std::nullopt : std::optional(failed->error);
}

std::size_t EventLog::size_bytes() const {
  std::lock_guard lock(mutex_);
  return size_bytes_;
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
