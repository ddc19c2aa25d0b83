// What a router found for a request.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/response.h"
#include "http/task.h"

namespace tru::http {

class Exchange;

using Handler = std::function<Task<Response>(Exchange&)>;

struct RouteMatch {
  const Handler* handler = nullptr;  // null: no such path, or it does not take the method
  std::string_view pattern;          // empty: no such path
  unsigned flags = 0;
  std::vector<std::pair<std::string_view, std::string>> params;
  std::string allow;  // the methods that the path takes, as in the field Allow
};

}  // namespace tru::http
