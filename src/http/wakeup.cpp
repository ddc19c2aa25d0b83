#include "http/wakeup.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <mutex>
#include <utility>

namespace tru::http {

// The timer is the waiting coroutine's and known here only while it waits, so that a notify() that
// comes after the server's end touches nothing of it.
struct Wakeup::State : std::enable_shared_from_this<State> {
  std::mutex mutex;
  bool notified = false;
  asio::steady_timer* timer = nullptr;

  bool take() {
    std::lock_guard lock(mutex);
    return std::exchange(notified, false);
  }

  void wake(bool notify) {
    std::lock_guard lock(mutex);
    notified |= notify;
    if (timer == nullptr) return;
    // Timers are not for two threads: theirs cancels it.
    asio::post(timer->get_executor(), [self = shared_from_this()] {
      std::lock_guard relock(self->mutex);
      if (self->timer != nullptr) self->timer->cancel();
    });
  }
};

namespace {

template <typename State>
class Waiting {
 public:
  Waiting(State& state, asio::steady_timer& timer) : state_(state) { set(&timer); }
  ~Waiting() { set(nullptr); }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

 private:
  void set(asio::steady_timer* timer) {
    std::lock_guard lock(state_.mutex);
    state_.timer = timer;
  }

  State& state_;
};

}  // namespace

Wakeup::Wakeup() : state_(std::make_shared<State>()) {}

void Wakeup::notify() const {
  state_->wake(true);
}

Task<bool> Wakeup::wait(std::chrono::milliseconds at_most, std::stop_token stop) {
  using Clock = asio::steady_timer::clock_type;
  const auto state = state_;
  const auto until = Clock::now() + at_most;
  asio::steady_timer timer(co_await asio::this_coro::executor, until);
  const Waiting waiting(*state, timer);
  const auto interrupt = [&state] { state->wake(false); };
  const std::stop_callback on_stop(stop, interrupt);
  for (;;) {
    if (state->take()) co_return true;
    if (stop.stop_requested() || Clock::now() >= until) co_return false;
    timer.expires_at(until);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

}  // namespace tru::http
