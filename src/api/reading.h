// What the handlers read requests with.
#pragma once

#include <string>

#include "api/fields.h"
#include "api/repeating.h"
#include "api/service.h"

namespace tru::api {

inline constexpr std::size_t kMaxBodyBytes = 2 << 20;

// Names unknown fields in a Warning field of the answer.
void warn_of(const Names& unknown, http::Exchange& exchange);

bool wants_events(const http::RequestHead& head);

// A JSON body as a T; an empty one is an empty object if `may_be_empty`. Tells its fingerprint.
template <Declared T>
http::Task<http::Expected<T>> read_json(http::Exchange& exchange, bool may_be_empty = false,
                                        std::string* fingerprint = nullptr) {
  TRU_HTTP_TRY(const std::string body, co_await exchange.read_body(kMaxBodyBytes));
  if (fingerprint != nullptr) *fingerprint = fingerprint_of(exchange, body);
  json::object object;
  if (!body.empty() || !may_be_empty) {
    TRU_HTTP_TRY(object, parse_object(body));
  }
  Names unknown;
  auto request = from_json<T>(object, unknown);
  warn_of(unknown, exchange);
  co_return request;
}

}  // namespace tru::api
