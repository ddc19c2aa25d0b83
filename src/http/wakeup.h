// How another thread wakes a coroutine: it puts its news where the coroutine looks (a Channel, a
// log under a mutex) and calls notify().
#pragma once

#include <chrono>
#include <memory>
#include <stop_token>

#include "http/task.h"

namespace tru::http {

// Copies are handles of the same wakeup. notify() may be called from any thread, at any time; one
// coroutine waits.
class Wakeup {
 public:
  Wakeup();

  // Lets the present or the next wait() return. Several calls before a wait() count as one.
  void notify() const;

  // Until notify(), until `stop` is requested, or for `at_most`. True when it was notify().
  Task<bool> wait(std::chrono::milliseconds at_most, std::stop_token stop = {});

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace tru::http
