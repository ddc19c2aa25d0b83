// Which handler answers a request: tables of method, pattern, free function and flags.
//
//   constexpr std::array kRoutes{
//       Route<App>{Verb::get, "/v1/health", get_health, kOpen},
//       Route<App>{Verb::get, "/v1/requests/{id}/events", get_events},
//   };
//   router.add(app, kRoutes);
//
// HEAD is answered by the handler of GET, OPTIONS by the session.
#pragma once

#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/exchange.h"
#include "http/request_head.h"
#include "http/response.h"
#include "http/route_match.h"
#include "http/task.h"

namespace tru::http {

// A path with places for values, checked by the compiler. A segment may hold one {name} with text
// before and after it ("{index}.jpg").
struct Pattern {
  std::string_view text;

  // NOLINTNEXTLINE(google-explicit-constructor): it stands in tables.
  consteval Pattern(const char* pattern) : text(pattern) {
    if (text.empty() || text.front() != '/') throw "a pattern starts with a slash";
    if (text.size() > 1 && text.back() == '/') throw "a pattern does not end with a slash";
    int open = 0;
    for (const char c : text) {
      if (c == '/') open = 0;
      if (c == '{' && ++open > 1) throw "a segment holds at most one {name}";
    }
  }
};

template <typename App>
struct Route {
  Verb method;
  Pattern pattern;
  Task<Response> (*handler)(App&, Exchange&);
  unsigned flags = 0;  // the user's own, such as "needs no key"; see Exchange::route_flags()
};

class Router {
 public:
  // `app` outlives the router; so does the table (it is constexpr).
  template <typename App, typename Table>
  void add(App& app, const Table& routes) {
    for (const Route<App>& route : routes) {
      insert(
          route.method, route.pattern.text, route.flags,
          [&app, handler = route.handler](Exchange& exchange) { return handler(app, exchange); });
    }
  }

  // Adds paths that are known only at the start, such as a page's files. All have one handler and
  // go by `name`, which outlives the router. A path is found only as it stands here, behind every
  // pattern. Comes after add(): paths that begin as a pattern with other flags does are left out,
  // so that no file opens, or looks like, a part of what is guarded otherwise.
  template <typename App>
  void add_files(App& app, const std::vector<std::string>& paths, std::string_view name,
                 Task<Response> (*handler)(App&, Exchange&), unsigned flags) {
    insert_files(paths, {Verb::get,
                         name,
                         flags,
                         [&app, handler](Exchange& exchange) { return handler(app, exchange); },
                         {}});
  }

  RouteMatch find(Verb method, const Target& target) const;

 private:
  struct Segment {
    std::string_view before, name, after;  // no name: `before` is the whole segment
  };
  struct Entry {
    Verb method;
    std::string_view pattern;
    unsigned flags;
    Handler handler;
    std::vector<Segment> segments;
  };

  void insert(Verb method, std::string_view pattern, unsigned flags, Handler handler);
  void insert_files(const std::vector<std::string>& paths, Entry entry);
  static bool matches(const Entry& entry, std::span<const std::string> segments);
  static void use(const Entry& entry, std::span<const std::string> segments, bool takes,
                  RouteMatch& match);

  std::vector<Entry> entries_;
  Entry files_entry_{};
  std::set<std::string, std::less<>> files_;
};

}  // namespace tru::http
