#include "api/errors.h"
#include "api/handlers.h"
#include "api/reading.h"
#include "base/json_text.h"
#include "pipeline/report_json.h"

namespace tru::api {
namespace {

constexpr std::string_view kServiceName = "tru-v2-vlm-inference";

Response json_response(const json::object& body) {
  return {200, "application/json", to_json_text(body)};
}

}  // namespace

Task<Response> health(Service&, Exchange&) {
  co_return json_response({{"status", "healthy"}, {"service", kServiceName}});
}

Task<Response> ready(Service& service, Exchange&) {
  // A full queue is busy, not broken.
  if (service.backend() == nullptr) co_return refusal::model_loading;
  if (!service.queue.healthy()) co_return refusal::engine_stalled;
  co_return json_response({{"status", "ready"}, {"service", kServiceName}});
}

Task<Response> health_detailed(Service& service, Exchange& exchange) {
  const backend::Backend* backend = service.backend();
  json::object model = service.config.model;
  model["loaded"] = backend != nullptr;
  model["demo"] = service.config.demo_model;
  if (backend != nullptr) {
    const backend::ModelInfo info = backend->info();
    model["name"] = info.name;
    model["max_context"] = info.max_context;
    json::array servers;
    for (const auto& server : backend->servers()) servers.push_back(pipeline::to_json(server));
    if (!servers.empty()) model["servers"] = std::move(servers);
  }
  const auto counts = service.queue.counts();
  const auto describe = [&] { return service.config.describe_machine(); };
  json::object body = co_await http::result_on(exchange.workers(), describe);
  const bool healthy = service.queue.healthy();
  body["status"] = healthy ? "healthy" : "degraded";
  body["service"] = kServiceName;
  body["model"] = std::move(model);
  body["queue"] = {
      {"waiting", counts.waiting}, {"running", counts.running}, {"capacity", counts.capacity}};
  body["sandbox"] = "none";
  body["version"] = service.config.version;
  co_return json_response(body);
}

// Counting files and folders is not for the io thread.
Task<Response> metrics_text(Service& service, Exchange& exchange) {
  const auto counts = service.queue.counts();
  metrics::Now now;
  now.http_connections = static_cast<std::int64_t>(exchange.stats().connections_open.load());
  now.queue_waiting = static_cast<std::int64_t>(counts.waiting);
  now.queue_running = static_cast<std::int64_t>(counts.running);
  now.queue_capacity = static_cast<std::int64_t>(counts.capacity);
  if (const backend::Backend* backend = service.backend(); backend != nullptr) {
    now.model_loaded = true;
    now.context_tokens = backend->info().max_context;
  }
  const auto write = [&] {
    now.videos_kept = static_cast<std::int64_t>(service.videos.count());
    return service.metrics.text(now);
  };
  std::string text = co_await http::result_on(exchange.workers(), write);
  co_return Response(200, "text/plain; version=0.0.4; charset=utf-8", std::move(text));
}

}  // namespace tru::api
