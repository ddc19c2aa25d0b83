// A bounded queue between two threads. A full channel makes the sender wait, an empty one the
// receiver; closing or a stop request wakes both.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

namespace tru {

template <typename T>
class Channel {
 public:
  explicit Channel(std::size_t capacity) : capacity_(capacity) {}

  // Waits for room. False when the channel was closed or a stop was asked for: value is dropped.
  bool send(T value, std::stop_token stop = {}) {
    std::unique_lock lock(mutex_);
    const bool ready =
        room_.wait(lock, stop, [this] { return closed_ || queue_.size() < capacity_; });
    if (!ready || closed_) return false;
    queue_.push_back(std::move(value));
    filled_.notify_one();
    return true;
  }

  // Waits for a value. Empty when the channel is closed and drained, or a stop was asked for.
  std::optional<T> receive(std::stop_token stop = {}) {
    std::unique_lock lock(mutex_);
    const bool ready = filled_.wait(lock, stop, [this] { return closed_ || !queue_.empty(); });
    if (!ready || queue_.empty()) return std::nullopt;
    return take();
  }

  // A value if one is there; does not wait.
  std::optional<T> try_receive() {
    std::unique_lock lock(mutex_);
    if (queue_.empty()) return std::nullopt;
    return take();
  }

  // No more values are accepted; those already inside can still be received.
  void close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    room_.notify_all();
    filled_.notify_all();
  }

 private:
  std::optional<T> take() {
    std::optional<T> value(std::move(queue_.front()));
    queue_.pop_front();
    room_.notify_one();
    return value;
  }

  const std::size_t capacity_;
  std::mutex mutex_;
  std::condition_variable_any room_;
  std::condition_variable_any filled_;
  std::deque<T> queue_;
  bool closed_ = false;
};

}  // namespace tru
