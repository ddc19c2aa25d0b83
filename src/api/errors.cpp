#include "api/errors.h"

#include <algorithm>

#include "api/html.h"
#include "base/json_text.h"

namespace tru::api {
namespace {

namespace json = boost::json;

constexpr std::array kOwn{refusal::json_invalid,
                          refusal::json_too_deep,
                          refusal::unauthorized,
                          refusal::scope_missing,
                          refusal::cancelled,
                          refusal::prompt_too_large,
                          refusal::source_too_large,
                          refusal::unsupported_media,
                          refusal::field_invalid,
                          refusal::field_missing,
                          refusal::idempotency_mismatch,
                          refusal::context_overflow,
                          refusal::media_empty,
                          refusal::media_unreadable,
                          refusal::media_no_video,
                          refusal::media_dimensions,
                          refusal::media_too_long,
                          refusal::url_invalid,
                          refusal::url_scheme_not_allowed,
                          refusal::url_port_not_allowed,
                          refusal::url_not_allowed,
                          refusal::queue_full,
                          refusal::rate_limited,
                          refusal::quota_exceeded,
                          refusal::busy,
                          refusal::engine_error,
                          refusal::source_http_error,
                          refusal::source_unreachable,
                          refusal::source_redirects,
                          refusal::source_tls_error,
                          refusal::source_truncated,
                          refusal::backend_error,
                          refusal::backend_protocol,
                          refusal::model_loading,
                          refusal::engine_stalled,
                          refusal::shutting_down,
                          refusal::backend_unavailable,
                          refusal::source_timeout,
                          refusal::backend_timeout};

constexpr int kSoon = 5;  // seconds, before others' overload has had time to pass

// The codes of most errors are their names; these are older or of no concern to users.
std::string_view code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
      return refusal::field_invalid.code;
    case ErrorCode::media_unsupported:
      return refusal::unsupported_media.code;
    case ErrorCode::engine_failed:
      return refusal::engine_error.code;
    default:
      return to_string(code);
  }
}

// As OpenAI's clients and others' dashboards sort errors.
std::string_view openai_type(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
    default:
      return status < 500 ? "invalid_request_error" : "server_error";
  }
}

bool is_openai_path(std::string_view path) {
  return path.starts_with("/v1/chat/") || path.starts_with("/v1/models");
}

}  // namespace

const std::vector<Refusal>& all_refusals() {
  static const std::vector<Refusal> all = [] {
    std::vector<Refusal> list(http::refusal::all.begin(), http::refusal::all.end());
    list.insert(list.end(), kOwn.begin(), kOwn.end());
    std::stable_sort(list.begin(), list.end(),
                     [](const Refusal& a, const Refusal& b) { return a.status < b.status; });
    return list;
  }();
  return all;
}

bool is_retryable(int status) {
  return status == 408 || status == 429 || (status >= 502 && status <= 504) || status == 507;
}

http::Problem problem_of(const Error& error) {
  const std::string_view code = code_of(error.code);
  const auto& all = all_refusals();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const Refusal& refusal) { return refusal.code == code; });
  if (found == all.end() || found->status == 500 || found->status == 507) {
    return found == all.end() ? http::Problem(http::refusal::internal) : http::Problem(*found);
  }
  http::Problem problem(*found, error.message);
  problem.field = error.field;
  if (found->status == 429 || found->status == 503) problem.retry_after_s = kSoon;
  return problem;
}

json::object error_object(const http::Problem& problem, std::string_view request_id, bool openai) {
  json::object error{{"code", problem.code},
                     {"message", problem.message},
                     {"field", nullptr},
                     {"request_id", request_id},
                     {"retryable", problem.retryable || is_retryable(problem.status)},
                     {"retry_after_s", nullptr}};
  if (!problem.field.empty()) error["field"] = problem.field;
  if (problem.retry_after_s) error["retry_after_s"] = *problem.retry_after_s;
  if (openai) {
    error["type"] = openai_type(problem.status);
    error["param"] = error["field"];
  }
  return error;
}

http::Response render(const http::Problem& problem, const http::ProblemContext& context) {
  if (context.path == "/v1/inference/upload" && accepts_html(context.accept)) {
    return html_answer(problem.status, "This did not work",
                       "<p>" + escape_html(problem.message) + "</p><p><a href=\"/\">Back</a></p>");
  }
  json::object body{
      {"detail", problem.message},
      {"error", error_object(problem, context.request_id, is_openai_path(context.path))}};
  http::Response response(problem.status, "application/json", to_json_text(body));
  if (problem.status == 401) response.headers.set("WWW-Authenticate", "Bearer");
  return response;
}

}  // namespace tru::api
