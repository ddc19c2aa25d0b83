#include "api/handlers.h"

namespace tru::api {
namespace {

using http::Verb;

constexpr http::Route<Service> kRoutes[] = {
    {Verb::get, "/", front_page, kOpen},
    {Verb::get, "/docs", docs_page, kOpen},
    {Verb::get, "/docs/docs.js", docs_page, kOpen},
    {Verb::get, "/docs/docs.css", docs_page, kOpen},
    {Verb::get, "/openapi.json", openapi_json, kOpen},
    {Verb::get, "/v1/health", health, kOpen},
    {Verb::get, "/v1/health/detailed", health_detailed, kMetrics},
    {Verb::get, "/v1/ready", ready, kOpen},
    {Verb::get, "/metrics", metrics_text, kMetrics},
    {Verb::post, "/v1/inference/url", infer_url},
    {Verb::post, "/v1/inference/upload", infer_upload},
    {Verb::get, "/v1/models", list_models},
    {Verb::post, "/v1/chat/completions", chat_completions},
    {Verb::post, "/v1/videos", create_video},
    {Verb::get, "/v1/videos/{id}", get_video},
    {Verb::delete_, "/v1/videos/{id}", delete_video},
    {Verb::post, "/v1/videos/{id}/plan", plan_video},
    {Verb::get, "/v1/videos/{id}/frames/{index}.jpg", video_frame},
    {Verb::get, "/v1/videos/{id}/content", video_content},
    {Verb::get, "/v1/requests/{id}/events", request_events},
    {Verb::delete_, "/v1/requests/{id}", delete_request},
};

}  // namespace

std::span<const http::Route<Service>> all_routes() {
  return kRoutes;
}

http::Router make_router(Service& service) {
  http::Router router;
  router.add(service, kRoutes);
  if (service.web) router.add_files(service, service.web->paths(), "(page)", web_file, kOpen);
  return router;
}

}  // namespace tru::api
