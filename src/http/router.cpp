#include "http/router.h"

#include <algorithm>
#include <boost/beast/http/verb.hpp>

#include "base/assert.h"

namespace tru::http {
namespace {

void add_method(std::string& allow, Verb method) {
  const auto name = boost::beast::http::to_string(method);
  if (!allow.empty()) allow += ", ";
  allow.append(name.data(), name.size());
}

}  // namespace

void Router::insert(Verb method, std::string_view pattern, unsigned flags, Handler handler) {
  Entry entry{method, pattern, flags, std::move(handler), {}};
  for (std::string_view rest = pattern.substr(1); !rest.empty();) {
    const auto text = rest.substr(0, rest.find('/'));
    rest.remove_prefix(std::min(text.size() + 1, rest.size()));
    const auto open = text.find('{');
    if (open == std::string_view::npos) {
      entry.segments.push_back({text, {}, {}});
      continue;
    }
    const auto close = text.find('}', open);
    TRU_ASSERT(close != std::string_view::npos);
    auto name = text.substr(open + 1, close - open - 1);
    entry.takes_rest = name.ends_with('*');
    if (entry.takes_rest) name.remove_suffix(1);
    TRU_ASSERT(!name.empty() && (!entry.takes_rest || rest.empty()));
    entry.segments.push_back({text.substr(0, open), name, text.substr(close + 1)});
  }
  // A pattern that takes the rest of a path comes after all others, whatever the tables' order.
  const auto place = entry.takes_rest ? entries_.end()
                                      : std::find_if(entries_.begin(), entries_.end(),
                                                     [](auto& e) { return e.takes_rest; });
  entries_.insert(place, std::move(entry));
}

bool Router::matches(const Entry& entry, std::span<const std::string> segments) {
  const auto fixed = entry.segments.size() - (entry.takes_rest ? 1 : 0);
  if (segments.size() < fixed || (segments.size() > fixed && !entry.takes_rest)) return false;
  for (std::size_t i = 0; i < fixed; ++i) {
    const Segment& segment = entry.segments[i];
    const std::string_view text = segments[i];
    if (segment.name.empty()) {
      if (text != segment.before) return false;
    } else if (text.size() <= segment.before.size() + segment.after.size() ||
               !text.starts_with(segment.before) || !text.ends_with(segment.after)) {
      return false;
    }
  }
  return true;
}

std::string Router::param(const Entry& entry, std::size_t index,
                          std::span<const std::string> segments) {
  const Segment& segment = entry.segments[index];
  if (!entry.takes_rest || index + 1 < entry.segments.size()) {
    const auto& text = segments[index];
    const auto around = segment.before.size() + segment.after.size();
    return text.substr(segment.before.size(), text.size() - around);
  }
  std::string rest;
  for (std::size_t i = index; i < segments.size(); ++i) {
    rest.append(i > index ? "/" : "").append(segments[i]);
  }
  return rest;
}

RouteMatch Router::find(Verb method, std::span<const std::string> segments) const {
  RouteMatch match;
  const Verb wanted = method == Verb::head ? Verb::get : method;
  for (const Entry& entry : entries_) {
    const bool takes = entry.method == wanted;
    // What takes the rest is for paths that nothing else knows, and refuses no method there.
    if (entry.takes_rest && (!takes || !match.pattern.empty())) continue;
    if (!matches(entry, segments)) continue;
    add_method(match.allow, entry.method);
    if (entry.method == Verb::get) add_method(match.allow, Verb::head);
    if (match.handler != nullptr) continue;
    if (takes || match.pattern.empty()) {
      match.pattern = entry.pattern;
      match.flags = entry.flags;
    }
    if (!takes) continue;
    match.handler = &entry.handler;
    for (std::size_t i = 0; i < entry.segments.size(); ++i) {
      const auto name = entry.segments[i].name;
      if (!name.empty()) match.params.emplace_back(name, param(entry, i, segments));
    }
  }
  if (!match.pattern.empty()) add_method(match.allow, Verb::options);
  return match;
}

}  // namespace tru::http
