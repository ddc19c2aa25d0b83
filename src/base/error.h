// What can go wrong because of input, files, devices or limits. Broken invariants assert instead.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace tru {

// A small set of meanings. app/ turns them into exit codes, api/ into HTTP; nothing else maps them.
enum class ErrorCode {
  invalid_argument,   // a value the caller chose is out of range or contradicts another
  context_overflow,   // the prompt does not fit the context
  cancelled,          // somebody asked us to stop
  engine_failed,      // the device could not do the work (out of memory, lost device)
  config_invalid,     // a setting cannot be used
  model_invalid,      // a checkpoint is missing, malformed or of another kind
  media_not_found,    // no such file
  media_unsupported,  // not a container or codec that we decode
  media_empty,        // zero bytes
  media_unreadable,   // damaged: no frame could be decoded
  media_no_video,     // a media file without pictures
  media_dimensions,   // pictures too large, or too long and thin
  media_too_long,     // more time or packets than we index
  storage_full,       // no room on the disk
  not_found,          // no such thing, or not yours
  queue_full,         // more requests wait than are allowed to
  shutting_down,      // not ready any more
  busy,               // a limit on work at the same time is reached; try again later

  url_invalid,             // not an address, or one that two programs would read differently
  url_scheme_not_allowed,  // neither http nor https
  url_port_not_allowed,    // a port that no public web server uses
  url_not_allowed,         // an address inside somebody's network
  source_unreachable,      // the web server's name or the server itself was not found
  source_http_error,       // it answered with another status than 200, or not in HTTP
  source_redirects,        // too many redirects, or one from https to http
  source_tls_error,        // its certificate does not prove who it is
  source_too_large,        // more bytes than allowed
  source_truncated,        // fewer bytes than it had announced
  source_timeout,          // it took too long to be found, to answer, or to send

  backend_error,        // the remote back end refused the request or failed at it
  backend_unavailable,  // no remote back end can be reached, or it is overloaded
  backend_timeout,      // the remote back end stopped sending
  backend_protocol,     // what the remote back end sent can't be understood

  internal,  // a fault of ours
};

// Name as it appears in JSON, such as "media_unreadable".
std::string_view to_string(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;  // one sentence for a person: what was wrong and what is allowed
  std::string field{};  // the field of a request at fault, such as video_params.fps; else empty
};

}  // namespace tru
