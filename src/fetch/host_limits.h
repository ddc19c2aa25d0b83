// How many downloads may run at once, in all and from one host.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace tru::fetch {

class HostLimits {
 public:
  HostLimits(int per_host, int total)
      : state_(std::make_shared<State>()), per_host_(per_host), total_(total) {}

  // A place, given back when the last copy of the result is gone; null when there is none.
  std::shared_ptr<void> take(const std::string& host) {
    const std::lock_guard lock(state_->mutex);
    int& running = state_->running[host];
    if (running >= per_host_ || state_->total >= total_) {
      if (running == 0) state_->running.erase(host);
      return nullptr;
    }
    ++running;
    ++state_->total;
    return {state_.get(), [state = state_, host](void*) { state->give_back(host); }};
  }

 private:
  struct State {
    std::mutex mutex;
    std::map<std::string, int> running;  // by host, none of them 0
    int total = 0;

    void give_back(const std::string& host) {
      const std::lock_guard lock(mutex);
      --total;
      const auto entry = running.find(host);
      if (--entry->second == 0) running.erase(entry);
    }
  };

  const std::shared_ptr<State> state_;
  const int per_host_;
  const int total_;
};

}  // namespace tru::fetch
