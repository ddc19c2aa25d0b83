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
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/exchange.h"
#include "http/response.h"
#include "http/route_match.h"
#include "http/task.h"

namespace tru::http {

// A path with places for values, checked by the compiler. A segment may hold one {name} with text
// before and after it ("{index}.jpg"); the last one may be {name*}, the rest of the path with its
// slashes, which may be empty and is tried after every other pattern.
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

  RouteMatch find(Verb method, std::span<const std::string> segments) const;

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
    bool takes_rest = false;  // ends with {name*}
  };

  void insert(Verb method, std::string_view pattern, unsigned flags, Handler handler);
  static bool matches(const Entry& entry, std::span<const std::string> segments);
  static std::string param(const Entry& entry, std::size_t index,
                           std::span<const std::string> segments);

  std::vector<Entry> entries_;
};

}  // namespace tru::http
