#include "base/error.h"

#include <cstddef>
#include <utility>

namespace tru {
namespace {

constexpr std::pair<ErrorCode, std::string_view> kNames[] = {
    {ErrorCode::invalid_argument, "invalid_argument"},
    {ErrorCode::context_overflow, "context_overflow"},
    {ErrorCode::cancelled, "cancelled"},
    {ErrorCode::engine_failed, "engine_failed"},
    {ErrorCode::config_invalid, "config_invalid"},
    {ErrorCode::model_invalid, "model_invalid"},
    {ErrorCode::media_not_found, "media_not_found"},
    {ErrorCode::media_unsupported, "media_unsupported"},
    {ErrorCode::media_empty, "media_empty"},
    {ErrorCode::media_unreadable, "media_unreadable"},
    {ErrorCode::media_no_video, "media_no_video"},
    {ErrorCode::media_dimensions, "media_dimensions"},
    {ErrorCode::media_too_long, "media_too_long"},
    {ErrorCode::storage_full, "storage_full"},
    {ErrorCode::not_found, "not_found"},
    {ErrorCode::queue_full, "queue_full"},
    {ErrorCode::shutting_down, "shutting_down"},
    {ErrorCode::busy, "busy"},
    {ErrorCode::url_invalid, "url_invalid"},
    {ErrorCode::url_scheme_not_allowed, "url_scheme_not_allowed"},
    {ErrorCode::url_port_not_allowed, "url_port_not_allowed"},
    {ErrorCode::url_not_allowed, "url_not_allowed"},
    {ErrorCode::source_unreachable, "source_unreachable"},
    {ErrorCode::source_http_error, "source_http_error"},
    {ErrorCode::source_redirects, "source_redirects"},
    {ErrorCode::source_tls_error, "source_tls_error"},
    {ErrorCode::source_too_large, "source_too_large"},
    {ErrorCode::source_truncated, "source_truncated"},
    {ErrorCode::source_timeout, "source_timeout"},
    {ErrorCode::backend_error, "backend_error"},
    {ErrorCode::backend_unavailable, "backend_unavailable"},
    {ErrorCode::backend_timeout, "backend_timeout"},
    {ErrorCode::backend_protocol, "backend_protocol"},
    {ErrorCode::internal, "internal"},
};

constexpr bool in_order_and_complete() {
  std::size_t next = 0;
  for (const auto& [code, name] : kNames) {
    if (static_cast<std::size_t>(code) != next++) return false;
  }
  return next == static_cast<std::size_t>(ErrorCode::internal) + 1;
}
static_assert(in_order_and_complete());

}  // namespace

std::string_view to_string(ErrorCode code) {
  return kNames[static_cast<std::size_t>(code)].second;
}

}  // namespace tru
