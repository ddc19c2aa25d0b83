#include "api/docs_page.h"
#include "api/handlers.h"
#include "api/html.h"
#include "api/openapi.h"
#include "api/reading.h"
#include "base/digest.h"
#include "base/json_text.h"

namespace tru::api {
namespace {

// Where no web page was built: a form that does the main thing.
constexpr std::string_view kForm =
    "<form action=\"/v1/inference/upload\" method=\"post\" enctype=\"multipart/form-data\">"
    "<p><label>Video <input type=\"file\" name=\"video\" required></label></p>"
    "<p><label>Question <input name=\"prompt\" required></label></p>"
    "<p><button>Ask</button></p></form><p><a href=\"/docs\">API</a></p>";

Response text_with_etag(Exchange& exchange, std::string_view type, const std::string& text) {
  Response response(200, type, text);
  response.headers.set("Cache-Control", "no-cache");
  return http::with_etag(exchange, "\"" + sha256_hex(text).substr(0, 16) + "\"",
                         std::move(response));
}

}  // namespace

Task<Response> front_page(Service& service, Exchange& exchange) {
  exchange.response_headers().add("Vary", "Accept");
  if (accepts_html(exchange.head().header("Accept").value_or(""))) {
    if (service.web) co_return service.web->answer(exchange);
    co_return html_answer(200, "TRU", kForm);
  }
  const json::object card{{"service", "tru-v2-vlm-inference"},
                          {"version", service.config.version},
                          {"docs", "/docs"},
                          {"openapi", "/openapi.json"},
                          {"health", "/v1/health"}};
  co_return Response(200, "application/json", to_json_text(card));
}

Task<Response> docs_page(Service&, Exchange& exchange) {
  const std::string& path = exchange.head().path();
  if (path == "/docs") {
    Response response(200, "text/html; charset=utf-8", std::string(kDocsHtml));
    response.headers.set("Content-Security-Policy",
                         "default-src 'self'; base-uri 'none'; frame-ancestors 'none'");
    response.headers.set("Cache-Control", "no-cache");
    co_return response;
  }
  if (path == "/docs/docs.js")
    co_return text_with_etag(exchange, "text/javascript", std::string(kDocsScript));
  co_return text_with_etag(exchange, "text/css", std::string(kDocsStyle));
}

Task<Response> openapi_json(Service& service, Exchange& exchange) {
  co_return text_with_etag(exchange, "application/json", openapi_text(service.config.version));
}

Task<Response> web_file(Service& service, Exchange& exchange) {
  co_return service.web->answer(exchange);
}

}  // namespace tru::api
