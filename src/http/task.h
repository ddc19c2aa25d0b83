// The names from Boost that this folder's users need.
//
// Everything below a Server runs on its one io thread: handlers, guards, hooks and whatever they
// co_await. So they share data without locks, and must never block longer than 1 ms: what may goes
// through run_on() (http/workers.h).
#pragma once

// GCC 12 with sanitizers takes the operators new and delete of Asio's coroutine frames, of which it
// inlines one, for mismatched.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

#include <boost/asio/awaitable.hpp>
#include <boost/beast/http/verb.hpp>

namespace tru::http {

namespace asio = boost::asio;

template <typename T>
using Task = asio::awaitable<T>;

using Verb = boost::beast::http::verb;  // Verb::get, Verb::post, Verb::delete_, ...

}  // namespace tru::http
