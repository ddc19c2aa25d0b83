// The handlers of all routes: each reads a request and answers it.
#pragma once

#include <span>

#include "api/service.h"
#include "http/router.h"

namespace tru::api {

using http::Exchange;
using http::Response;
using http::Task;

// inference.cpp: the drop-in routes.
Task<Response> infer_url(Service&, Exchange&);
Task<Response> infer_upload(Service&, Exchange&);

// chat.cpp
Task<Response> chat_completions(Service&, Exchange&);
Task<Response> list_models(Service&, Exchange&);

// videos.cpp: videos that are kept.
Task<Response> create_video(Service&, Exchange&);
Task<Response> get_video(Service&, Exchange&);
Task<Response> delete_video(Service&, Exchange&);
Task<Response> plan_video(Service&, Exchange&);
Task<Response> video_frame(Service&, Exchange&);
Task<Response> video_content(Service&, Exchange&);

// tracking.cpp: requests under way.
Task<Response> request_events(Service&, Exchange&);
Task<Response> delete_request(Service&, Exchange&);

// status.cpp
Task<Response> health(Service&, Exchange&);
Task<Response> health_detailed(Service&, Exchange&);
Task<Response> ready(Service&, Exchange&);
Task<Response> metrics_text(Service&, Exchange&);

// pages.cpp
Task<Response> front_page(Service&, Exchange&);
Task<Response> docs_page(Service&, Exchange&);
Task<Response> openapi_json(Service&, Exchange&);
Task<Response> web_file(Service&, Exchange&);

// routes.cpp: every route but the page's files.
std::span<const http::Route<Service>> all_routes();

// All that is answered: the routes and, by their exact paths, the page's files. The service
// outlives it.
http::Router make_router(Service& service);

}  // namespace tru::api
