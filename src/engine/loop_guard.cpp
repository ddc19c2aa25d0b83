#include "engine/loop_guard.h"

#include <algorithm>

namespace tru::engine {

bool LoopGuard::add(std::int32_t id) {
  ids_.push_back(id);
  const std::size_t last = ids_.size() - 1;
  bool looping = false;
  for (std::size_t period = 1; period <= std::min(last, kMaxPeriod); ++period) {
    repeated_[period] = ids_[last - period] == id ? repeated_[period] + 1 : 0;
    looping |= repeated_[period] >= std::max(kMinRepeated, (kMinRounds - 1) * period);
  }
  return looping;
}

}  // namespace tru::engine
