// Everything a request can be refused for: status, code and sentence, in one table. The bodies of
// errors, openapi.json and the documentation are made from it.
#pragma once

#include <fmt/format.h>

#include <boost/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/server.h"

namespace tru::api {

using http::Refusal;

// Beside those of http::refusal.
namespace refusal {
inline constexpr Refusal json_invalid{400, "json_invalid", "the body is not valid JSON"};
inline constexpr Refusal json_too_deep{400, "json_too_deep",
                                       "the body is nested more than 32 levels deep"};
inline constexpr Refusal scope_missing{403, "scope_missing",
                                       "this key was made for something else"};
inline constexpr Refusal unauthorized{
    401, "unauthorized", "send a valid key as Authorization: Bearer KEY or X-API-Key: KEY"};
inline constexpr Refusal cancelled{409, "cancelled", "the request was cancelled"};
inline constexpr Refusal prompt_too_large{413, "prompt_too_large", "the prompt is too long"};
inline constexpr Refusal source_too_large{413, "source_too_large",
                                          "the file at this address is too large"};
inline constexpr Refusal unsupported_media{415, "unsupported_media",
                                           "this is not a video or picture that is supported"};
inline constexpr Refusal field_invalid{422, "field_invalid",
                                       "a field has a value that is not allowed"};
inline constexpr Refusal field_missing{422, "field_missing", "a field that is needed is missing"};
inline constexpr Refusal idempotency_mismatch{
    422, "idempotency_mismatch", "this Idempotency-Key was sent with another request before"};
inline constexpr Refusal context_overflow{422, "context_overflow",
                                          "the question does not fit the model's context"};
inline constexpr Refusal media_empty{422, "media_empty", "the file is empty"};
inline constexpr Refusal media_unreadable{422, "media_unreadable",
                                          "the file is damaged: no frame could be decoded"};
inline constexpr Refusal media_no_video{422, "media_no_video", "the file has no video track"};
inline constexpr Refusal media_dimensions{422, "media_dimensions",
                                          "the picture is too large, or too long and thin"};
inline constexpr Refusal media_too_long{422, "media_too_long", "the video is too long"};
inline constexpr Refusal url_invalid{422, "url_invalid", "this is not a valid address"};
inline constexpr Refusal url_scheme_not_allowed{422, "url_scheme_not_allowed",
                                                "only http and https addresses are allowed"};
inline constexpr Refusal url_port_not_allowed{422, "url_port_not_allowed",
                                              "this port is not allowed"};
inline constexpr Refusal url_not_allowed{422, "url_not_allowed",
                                         "only addresses of the public internet are allowed"};
inline constexpr Refusal queue_full{429, "queue_full", "too many requests are waiting"};
inline constexpr Refusal rate_limited{429, "rate_limited", "too many requests"};
inline constexpr Refusal quota_exceeded{429, "quota_exceeded",
                                        "your share of uploads is used up for now"};
inline constexpr Refusal busy{429, "busy", "too much is going on at the same time"};
inline constexpr Refusal engine_error{500, "engine_error", "the engine could not answer"};
inline constexpr Refusal source_http_error{502, "source_http_error",
                                           "the video's server answered with an error"};
inline constexpr Refusal source_unreachable{502, "source_unreachable",
                                            "the video's server cannot be reached"};
inline constexpr Refusal source_redirects{502, "source_redirects",
                                          "the video's server redirects too often"};
inline constexpr Refusal source_tls_error{502, "source_tls_error",
                                          "the video's server has no valid certificate"};
inline constexpr Refusal source_truncated{502, "source_truncated", "the video's server broke off"};
inline constexpr Refusal backend_error{502, "backend_error", "the model's server failed"};
inline constexpr Refusal backend_protocol{502, "backend_protocol",
                                          "the model's server gave an answer that makes no sense"};
inline constexpr Refusal model_loading{503, "model_loading", "the model is being loaded"};
inline constexpr Refusal engine_stalled{503, "engine_stalled", "the engine does not move on"};
inline constexpr Refusal shutting_down{503, "shutting_down", "the service is shutting down"};
inline constexpr Refusal backend_unavailable{503, "backend_unavailable",
                                             "the model's server cannot be reached"};
inline constexpr Refusal source_timeout{504, "source_timeout", "the video's server is too slow"};
inline constexpr Refusal backend_timeout{504, "backend_timeout", "the model's server is too slow"};
}  // namespace refusal

// Every refusal there is, by status, http's own included.
const std::vector<Refusal>& all_refusals();

bool is_retryable(int status);

// A refusal with a sentence of its own, about a field.
template <typename... Args>
http::Problem problem(const Refusal& refusal, std::string field, fmt::format_string<Args...> format,
                      Args&&... args) {
  http::Problem problem(refusal, fmt::format(format, std::forward<Args>(args)...));
  problem.field = std::move(field);
  return problem;
}

// What an error of the pipeline is called here. Its message is kept where it was written for
// users; those that may name paths or libraries are replaced.
http::Problem problem_of(const Error& error);

// The error object of the contract: {"code", "message", "field", ...}. openai adds type and param.
boost::json::object error_object(const http::Problem& problem, std::string_view request_id,
                                 bool openai);

// ServerConfig::render: a page for people who sent a form, JSON for everything else.
http::Response render(const http::Problem& problem, const http::ProblemContext& context);

}  // namespace tru::api
