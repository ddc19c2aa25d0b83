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
    case ErrorCode::internal:
      return "internal";
  }
  return "internal";
}

}  // namespace tru
