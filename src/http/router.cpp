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
    const auto name = text.substr(open + 1, close - open - 1);
    TRU_ASSERT(!name.empty());
    entry.segments.push_back({text.substr(0, open), name, text.substr(close + 1)});
  }
  entries_.push_back(std::move(entry));
}

void Router::insert_files(const std::vector<std::string>& paths, Entry entry) {
  files_entry_ = std::move(entry);
  for (const std::string& path : paths) {
    const auto first = std::string_view(path).substr(1, path.find('/', 1) - 1);
    const auto reserves = [&](const Entry& route) {
      return route.flags != files_entry_.flags && !route.segments.empty() &&
             route.segments.front().before == first;
    };
    if (std::none_of(entries_.begin(), entries_.end(), reserves)) files_.insert(path);
  }
}

bool Router::matches(const Entry& entry, std::span<const std::string> segments) {
  if (segments.size() != entry.segments.size()) return false;
  for (std::size_t i = 0; i < segments.size(); ++i) {
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

// `takes`: the entry has the request's method, or is one of GET and it is HEAD.
void Router::use(const Entry& entry, std::span<const std::string> segments, bool takes,
                 RouteMatch& match) {
  add_method(match.allow, entry.method);
  if (entry.method == Verb::get) add_method(match.allow, Verb::head);
  if (match.handler != nullptr) return;
  if (takes || match.pattern.empty()) {
    match.pattern = entry.pattern;
    match.flags = entry.flags;
  }
  if (!takes) return;
  match.handler = &entry.handler;
  for (std::size_t i = 0; i < entry.segments.size(); ++i) {
    const auto& [before, name, after] = entry.segments[i];
    if (name.empty()) continue;
    const std::string& text = segments[i];
    match.params.emplace_back(
        name, text.substr(before.size(), text.size() - before.size() - after.size()));
  }
}

RouteMatch Router::find(Verb method, const Target& target) const {
  RouteMatch match;
  const Verb wanted = method == Verb::head ? Verb::get : method;
  for (const Entry& entry : entries_) {
    if (matches(entry, target.segments)) {
      use(entry, target.segments, entry.method == wanted, match);
    }
  }
  if (match.pattern.empty() && files_.contains(target.path)) {
    use(files_entry_, {}, wanted == Verb::get, match);
  }
  if (!match.pattern.empty()) add_method(match.allow, Verb::options);
  return match;
}

}  // namespace tru::http
