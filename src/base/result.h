// Result<T>: a value, or the Error that kept us from making it.
#pragma once

#include <fmt/format.h>

#include <tl/expected.hpp>
#include <utility>

#include "base/error.h"

namespace tru {

template <typename T>
using Result = tl::expected<T, Error>;

using Status = Result<void>;

// fail(ErrorCode::media_not_found, "no such file: {}", path) converts to any Result<T>.
template <typename... Args>
tl::unexpected<Error> fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  return tl::unexpected<Error>(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

}  // namespace tru

#define TRU_CONCAT_(a, b) a##b
#define TRU_CONCAT(a, b) TRU_CONCAT_(a, b)

// TRU_TRY(auto x, make_x()): declares x from a Result, or returns its error from this function.
// A declaration and not a statement expression: those crash GCC 12 around co_await.
#define TRU_TRY(declaration, ...) \
  TRU_TRY_IMPL_(declaration, TRU_CONCAT(tru_result_, __LINE__), __VA_ARGS__)
#define TRU_TRY_IMPL_(declaration, result, ...)                                \
  auto result = (__VA_ARGS__);                                                 \
  if (!result) return tl::unexpected<::tru::Error>(std::move(result).error()); \
  declaration = std::move(*result)

// TRU_CHECK(status()): returns the error of a Status, or goes on.
#define TRU_CHECK(...)                                                    \
  do {                                                                    \
    if (auto tru_status = (__VA_ARGS__); !tru_status)                     \
      return tl::unexpected<::tru::Error>(std::move(tru_status).error()); \
  } while (false)
