// Loops over threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace tru::weights {

// Calls work(i) for all i < count on as many threads as help.
template <typename Work>
void parallel_for(std::size_t count, int threads, const Work& work) {
  std::atomic<std::size_t> next = 0;
  const auto loop = [&] {
    for (std::size_t i = next++; i < count; i = next++) work(i);
  };
  std::vector<std::jthread> helpers;
  for (int i = 1; i < threads; ++i) helpers.emplace_back(loop);
  loop();
}

}  // namespace tru::weights
