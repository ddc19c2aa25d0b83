#include <charconv>

#include "api/asking.h"
#include "api/errors.h"
#include "api/handlers.h"
#include "api/reading.h"

namespace tru::api {
namespace {

const http::Problem kNoRequest(http::refusal::not_found,
                               "there is no request of this id, or it is over");

}  // namespace

Task<Response> request_events(Service& service, Exchange& exchange) {
  const auto job = service.queue.find(exchange.param("id"), exchange.user());
  // Another reader of a request that goes with its client would end it by leaving.
  if (!job || !job->resumable()) co_return kNoRequest;
  std::uint64_t after = 0;
  if (const auto last = exchange.head().header("Last-Event-ID"); last && !last->empty()) {
    const auto [end, wrong] = std::from_chars(last->data(), last->data() + last->size(), after);
    if (wrong != std::errc() || end != last->data() + last->size() ||
        after > job->events().last_number()) {
      co_return problem(refusal::field_invalid, "Last-Event-ID",
                        "Last-Event-ID must be the id of an event of this request");
    }
  }
  co_return co_await stream_events(service, exchange, job, after);
}

Task<Response> delete_request(Service& service, Exchange& exchange) {
  const auto job = service.queue.find(exchange.param("id"), exchange.user());
  if (!job) co_return kNoRequest;
  service.queue.stop(*job, {ErrorCode::cancelled, "the request was cancelled"});
  Response response;
  response.status = 204;
  co_return response;
}

}  // namespace tru::api
