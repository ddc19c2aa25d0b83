// Answers of a server other than the one hoped for, as errors of ours. Nothing that it wrote is
// passed on: it may quote paths, addresses and the prompt.
#pragma once

#include <boost/json.hpp>

#include "backend/remote/http_client.h"

namespace tru::backend {

// For any status but 200.
Error reply_error(const HttpReply& reply);

// For an {"error": ...} within a stream that began well.
Error stream_error(const boost::json::value& error);

// Whether another server, or this one a moment later, may do better than answer so.
bool may_be_retried(long status);

}  // namespace tru::backend
