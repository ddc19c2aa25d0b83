#include "http/trace_context.h"

#include "base/digest.h"

namespace tru::http {
namespace {

bool is_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_id(std::string_view text) {
  return is_hex(text) && text.find_first_not_of('0') != std::string_view::npos;
}

}  // namespace

std::optional<TraceContext> parse_traceparent(std::string_view field) {
  constexpr std::size_t kLength = 55;  // 00-{32}-{16}-{2}; later versions may append to it
  if (field.size() < kLength || field[2] != '-' || field[35] != '-' || field[52] != '-') {
    return std::nullopt;
  }
  const auto version = field.substr(0, 2), rest = field.substr(kLength);
  if (!is_hex(version) || version == "ff") return std::nullopt;
  if (!rest.empty() && (version == "00" || rest.front() != '-')) return std::nullopt;
  const auto trace = field.substr(3, 32), parent = field.substr(36, 16),
             flags = field.substr(53, 2);
  if (!is_id(trace) || !is_id(parent) || !is_hex(flags)) return std::nullopt;
  return TraceContext{std::string(trace), std::string(parent), std::string(flags)};
}

std::string child_traceparent(const TraceContext& context) {
  return "00-" + context.trace_id + "-" + random_hex(8) + "-" + context.flags;
}

}  // namespace tru::http
