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
      return kMedia;
    case ErrorCode::cancelled:
      return kCancelled;
    case ErrorCode::context_overflow:
    case ErrorCode::engine_failed:
    case ErrorCode::storage_full:
    case ErrorCode::not_found:
    case ErrorCode::queue_full:
    case ErrorCode::shutting_down:
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
