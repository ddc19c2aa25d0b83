// Threads for work that blocks: disks, libraries, large texts.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <exception>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include "http/task.h"

namespace tru::http {

using Workers = asio::thread_pool;

// Runs work on one of the threads and resumes the caller on the io thread when it is done.
Task<void> run_on(Workers& workers, std::function<void()> work);

// The same with a result: const auto sum = co_await result_on(workers, job). Exceptions of work
// come out here. `work` may refer to the caller's variables, which outlive it; give it a name
// first: GCC 12 miscompiles a capturing lambda inside a co_await expression. To give up early,
// work itself looks at a stop_token.
template <typename Work>
Task<std::invoke_result_t<Work&>> result_on(Workers& workers, Work work) {
  std::optional<std::invoke_result_t<Work&>> result;
  std::function<void()> job = [&result, &work] { result.emplace(work()); };
  co_await run_on(workers, std::move(job));
  co_return std::move(*result);
}

}  // namespace tru::http
