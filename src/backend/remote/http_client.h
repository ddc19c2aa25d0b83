// Requests to one back end server.
#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tru::backend {

struct HttpReply {
  long status = 0;
  std::string content_type;
  std::string body;  // at most 4 MiB are taken
};

struct HttpRequest {
  std::string path;  // "/v1/models"
  std::string body;  // JSON to post; empty: a GET
  std::chrono::milliseconds first_byte_timeout{5000};
  std::chrono::milliseconds idle_timeout{5000};  // between bytes after that
  // Takes the body of an answer with status 200 instead of HttpReply::body. False ends the
  // transfer, which then counts as complete.
  std::function<bool(std::string_view)> on_data;
  std::string traceparent{};  // the field; empty: none
};

class HttpClient {
 public:
  HttpClient(std::string base_url, std::string api_key, std::chrono::milliseconds connect_timeout)
      : base_url_(std::move(base_url)),
        api_key_(std::move(api_key)),
        connect_timeout_(connect_timeout) {}

  // Any thread. A stop request closes the connection at once. Messages name no address. Errors:
  // backend_unavailable (not reached), backend_timeout, backend_protocol (not HTTP, or cut off),
  // cancelled.
  Result<HttpReply> send(const HttpRequest& request, std::stop_token stop) const;

 private:
  std::string base_url_;
  std::string api_key_;
  std::chrono::milliseconds connect_timeout_;
};

}  // namespace tru::backend
