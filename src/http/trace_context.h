// W3C Trace Context: the larger undertaking that a request is a step of, told in `traceparent`.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tru::http {

struct TraceContext {
  std::string trace_id;   // 32 hex digits
  std::string parent_id;  // 16: the caller's step
  std::string flags;      // 2: 01 when the caller records it
};

// Nothing for a field that is not valid: such a one is ignored, as the standard asks.
std::optional<TraceContext> parse_traceparent(std::string_view field);

// The field for a request that is a step of our own within the same undertaking.
std::string child_traceparent(const TraceContext& context);

}  // namespace tru::http
