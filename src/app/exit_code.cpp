#include "app/exit_code.h"

#include <algorithm>
#include <cstdio>

namespace tru::app {

int exit_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
      return kUsage;
    case ErrorCode::config_invalid:
    case ErrorCode::model_invalid:
      return kConfig;
    case ErrorCode::media_not_found:
    case ErrorCode::media_unsupported:
    case ErrorCode::media_empty:
    case ErrorCode::media_unreadable:
    case ErrorCode::media_no_video:
    case ErrorCode::media_dimensions:
    case ErrorCode::media_too_long:
    case ErrorCode::url_invalid:
    case ErrorCode::url_scheme_not_allowed:
    case ErrorCode::url_port_not_allowed:
    case ErrorCode::url_not_allowed:
    case ErrorCode::source_unreachable:
    case ErrorCode::source_http_error:
    case ErrorCode::source_redirects:
    case ErrorCode::source_tls_error:
    case ErrorCode::source_too_large:
    case ErrorCode::source_truncated:
    case ErrorCode::source_timeout:
      return kMedia;
    case ErrorCode::cancelled:
      return kCancelled;
    case ErrorCode::context_overflow:
    case ErrorCode::engine_failed:
    case ErrorCode::storage_full:
    case ErrorCode::not_found:
    case ErrorCode::queue_full:
    case ErrorCode::shutting_down:
    case ErrorCode::busy:
    case ErrorCode::backend_error:
    case ErrorCode::backend_unavailable:
    case ErrorCode::backend_timeout:
    case ErrorCode::backend_protocol:
    case ErrorCode::internal:
      break;
  }
  return kFailed;
}

int report(const Error& error) {
  // File names may hold line breaks; the message stays one line.
  std::string line = error.message;
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  std::fprintf(stderr, "tru: %s\n", line.c_str());
  return exit_code(error.code);
}

}  // namespace tru::app
