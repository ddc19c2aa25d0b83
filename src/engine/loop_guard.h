// Notices an answer that has fallen into endless repetition.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace tru::engine {

class LoopGuard {
 public:
  static constexpr std::size_t kMaxPeriod = 128;    // tokens
  static constexpr std::size_t kMinRepeated = 192;  // tokens that say nothing new
  static constexpr std::size_t kMinRounds = 8;

  // True once the answer's last tokens are one stretch of at most kMaxPeriod tokens, said
  // kMinRounds times or more and kMinRepeated tokens long or longer.
  bool add(std::int32_t id);

 private:
  std::vector<std::int32_t> ids_;
  // For each period: how many of the last tokens equal the token one period earlier.
  std::array<std::size_t, kMaxPeriod + 1> repeated_{};
};

}  // namespace tru::engine
