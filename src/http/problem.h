// What a request was refused for. The body that says so is made by the user of this layer, in one
// place (ServerConfig::render), for its own problems and for ours alike.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace tru::http {

// A kind of problem: its status and snake_case code never change, the sentence is its default.
struct Refusal {
  int status;
  std::string_view code;
  std::string_view message;
};

struct Problem {
  int status = 500;
  std::string code;
  std::string message;               // one sentence for a person
  std::string field;                 // the field at fault; empty: none
  std::optional<int> retry_after_s;  // also sent as Retry-After
  bool retryable = false;            // the same request may work later

  Problem() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): a refusal is a problem.
  Problem(const Refusal& refusal)
      : status(refusal.status), code(refusal.code), message(refusal.message) {}
  Problem(const Refusal& refusal, std::string why) : Problem(refusal) { message = std::move(why); }
};

template <typename T>
using Expected = tl::expected<T, Problem>;

inline tl::unexpected<Problem> refuse(Problem problem) {
  return tl::unexpected<Problem>(std::move(problem));
}

// Every refusal that this layer raises by itself.
namespace refusal {
inline constexpr Refusal bad_framing{400, "bad_framing", "this is not a well-formed HTTP request"};
inline constexpr Refusal bad_host{400, "bad_host", "a request needs exactly one valid Host"};
inline constexpr Refusal bad_target{400, "bad_target", "the path holds characters it may not"};
inline constexpr Refusal multipart_malformed{400, "multipart_malformed",
                                             "the multipart body is malformed"};
inline constexpr Refusal multipart_limits{400, "multipart_limits",
                                          "the multipart body has too many parts or headers"};
inline constexpr Refusal host_not_allowed{
    403, "host_not_allowed", "this host name is not served here; ALLOWED_HOSTS can add it"};
inline constexpr Refusal origin_not_allowed{
    403, "origin_not_allowed", "pages of this origin may not do that; CORS_ORIGINS can add it"};
inline constexpr Refusal not_found{404, "not_found", "there is nothing at this path"};
inline constexpr Refusal method_not_allowed{405, "method_not_allowed",
                                            "this path does not take that method"};
inline constexpr Refusal request_timeout{408, "request_timeout",
                                         "the request's headers came too slowly"};
inline constexpr Refusal upload_too_slow{408, "upload_too_slow",
                                         "the request's body came too slowly"};
inline constexpr Refusal body_too_large{413, "body_too_large", "the request's body is too large"};
inline constexpr Refusal upload_too_large{413, "upload_too_large", "the file is too large"};
inline constexpr Refusal field_too_large{413, "field_too_large", "a form field is too large"};
inline constexpr Refusal uri_too_long{414, "uri_too_long", "the request's target is too long"};
inline constexpr Refusal unsupported_encoding{415, "unsupported_encoding",
                                              "send the body without Content-Encoding"};
inline constexpr Refusal multipart_expected{415, "multipart_expected",
                                            "send this as multipart/form-data"};
inline constexpr Refusal range_not_satisfiable{416, "range_not_satisfiable",
                                               "the range lies outside the file"};
inline constexpr Refusal expectation_failed{417, "expectation_failed",
                                            "only Expect: 100-continue is understood"};
inline constexpr Refusal too_many_connections{429, "too_many_connections",
                                              "too many connections from this address"};
inline constexpr Refusal headers_too_large{431, "headers_too_large",
                                           "the request's headers are too large"};
inline constexpr Refusal internal{500, "internal", "something went wrong here"};
inline constexpr Refusal storage_error{500, "storage_error", "the upload could not be stored"};
inline constexpr Refusal not_implemented{501, "not_implemented", "this method is not known here"};
inline constexpr Refusal overloaded{503, "overloaded", "too many connections; try again soon"};
inline constexpr Refusal http_version{505, "http_version_not_supported",
                                      "HTTP/1.1 and HTTP/1.0 are spoken here"};
inline constexpr Refusal storage_full{507, "storage_full", "there is no room left on the disk"};

inline constexpr std::array all{bad_framing,        bad_host,
                                bad_target,         multipart_malformed,
                                multipart_limits,   host_not_allowed,
                                origin_not_allowed, not_found,
                                method_not_allowed, request_timeout,
                                upload_too_slow,    body_too_large,
                                upload_too_large,   field_too_large,
                                uri_too_long,       unsupported_encoding,
                                multipart_expected, range_not_satisfiable,
                                expectation_failed, too_many_connections,
                                headers_too_large,  internal,
                                storage_error,      not_implemented,
                                overloaded,         http_version,
                                storage_full};
}  // namespace refusal

}  // namespace tru::http

// TRU_HTTP_TRY(auto body, co_await exchange.read_body(limit)): declares body from an Expected, or
// ends this coroutine (of a Response or an Expected) with its problem. A declaration, as TRU_TRY.
#define TRU_HTTP_TRY(declaration, ...) \
  TRU_HTTP_TRY_IMPL_(declaration, TRU_HTTP_CONCAT_(tru_expected_, __LINE__), __VA_ARGS__)
#define TRU_HTTP_CONCAT_(a, b) TRU_HTTP_CONCAT_IMPL_(a, b)
#define TRU_HTTP_CONCAT_IMPL_(a, b) a##b
#define TRU_HTTP_TRY_IMPL_(declaration, result, ...)                     \
  auto result = (__VA_ARGS__);                                           \
  if (!result) co_return ::tru::http::refuse(std::move(result).error()); \
  declaration = std::move(*result)

// TRU_HTTP_CHECK(co_await sink.write(bytes)): the same for an Expected<void>.
#define TRU_HTTP_CHECK(...) \
  TRU_HTTP_CHECK_IMPL_(TRU_HTTP_CONCAT_(tru_expected_, __LINE__), __VA_ARGS__)
#define TRU_HTTP_CHECK_IMPL_(result, ...) \
  if (auto result = (__VA_ARGS__); !result) co_return ::tru::http::refuse(std::move(result).error())
