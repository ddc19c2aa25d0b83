#include "base/error.h"

namespace tru {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
      return "invalid_argument";
    case ErrorCode::context_overflow:
      return "context_overflow";
    case ErrorCode::cancelled:
      return "cancelled";
    case ErrorCode::engine_failed:
      return "engine_failed";
    case ErrorCode::config_invalid:
      return "config_invalid";
    case ErrorCode::model_invalid:
      return "model_invalid";
    case ErrorCode::media_not_found:
      return "media_not_found";
    case ErrorCode::media_unsupported:
      return "media_unsupported";
    case ErrorCode::media_empty:
      return "media_empty";
    case ErrorCode::media_unreadable:
      return "media_unreadable";
    case ErrorCode::media_no_video:
      return "media_no_video";
    case ErrorCode::media_dimensions:
      return "media_dimensions";
    case ErrorCode::media_too_long:
      return "media_too_long";
    case ErrorCode::storage_full:
      return "storage_full";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::queue_full:
      return "queue_full";
    case ErrorCode::shutting_down:
      return "shutting_down";
    case ErrorCode::busy:
      return "busy";
    case ErrorCode::url_invalid:
      return "url_invalid";
    case ErrorCode::url_scheme_not_allowed:
      return "url_scheme_not_allowed";
    case ErrorCode::url_port_not_allowed:
      return "url_port_not_allowed";
    case ErrorCode::url_not_allowed:
      return "url_not_allowed";
    case ErrorCode::source_unreachable:
      return "source_unreachable";
    case ErrorCode::source_http_error:
      return "source_http_error";
    case ErrorCode::source_redirects:
      return "source_redirects";
    case ErrorCode::source_tls_error:
      return "source_tls_error";
    case ErrorCode::source_too_large:
      return "source_too_large";
    case ErrorCode::source_truncated:
      return "source_truncated";
    case ErrorCode::source_timeout:
      return "source_timeout";
    case ErrorCode::backend_error:
      return "backend_error";
    case ErrorCode::backend_unavailable:
      return "backend_unavailable";
    case ErrorCode::backend_timeout:
      return "backend_timeout";
    case ErrorCode::backend_protocol:
      return "backend_protocol";
    case ErrorCode::internal:
      return "internal";
  }
  return "internal";
}

}  // namespace tru
