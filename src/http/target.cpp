#include <algorithm>

#include "http/request_head.h"
#include "http/text.h"

namespace tru::http {
namespace {

bool is_safe_segment(std::string_view segment) {
  const auto unsafe = [](unsigned char c) {
    return c < 0x20 || c == 0x7f || c == '/' || c == '\\';
  };
  return segment != "." && segment != ".." && is_utf8(segment) &&
         std::none_of(segment.begin(), segment.end(), unsafe);
}

}  // namespace

std::optional<std::string_view> Target::find(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return std::nullopt;
}

Expected<Target> parse_target(std::string_view text) {
  if (text.empty() || text.front() != '/') return refuse(refusal::bad_target);
  if (text.find('#') != std::string_view::npos) return refuse(refusal::bad_target);
  Target target;
  const auto mark = text.find('?');
  std::string_view path = text.substr(1, mark == std::string_view::npos ? mark : mark - 1);
  if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const auto add_segment = [&](std::string_view piece) {
    auto segment = percent_decode(piece, false);
    if (!segment || !is_safe_segment(*segment)) return false;
    target.path.append("/").append(*segment);
    target.segments.push_back(std::move(*segment));
    return true;
  };
  if (!path.empty() && !split(path, '/', add_segment)) return refuse(refusal::bad_target);
  if (target.segments.empty()) target.path = "/";

  const auto add_pair = [&](std::string_view piece) {
    if (piece.empty()) return true;
    const auto equals = std::min(piece.find('='), piece.size());
    auto name = percent_decode(piece.substr(0, equals), true);
    auto value = percent_decode(piece.substr(std::min(equals + 1, piece.size())), true);
    if (!name || !value || !is_utf8(*name) || !is_utf8(*value)) return false;
    target.query.emplace_back(std::move(*name), std::move(*value));
    return true;
  };
  if (mark != std::string_view::npos && !split(text.substr(mark + 1), '&', add_pair)) {
    return refuse(refusal::bad_target);
  }
  return target;
}

}  // namespace tru::http
