#include "http/workers.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace tru::http {
namespace {

Task<void> call(std::function<void()> work) {
  work();
  co_return;
}

}  // namespace

Task<void> run_on(Workers& workers, std::function<void()> work) {
  co_await asio::co_spawn(workers, call(std::move(work)), asio::use_awaitable);
}

}  // namespace tru::http
