// libcurl, owned and driven so that a stop request ends a transfer at once.
#pragma once

#include <curl/curl.h>

#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "base/result.h"

namespace tru::fetch {

template <auto Free>
struct CurlFree {
  template <typename T>
  void operator()(T* handle) const {
    Free(handle);
  }
};

using CurlEasy = std::unique_ptr<CURL, CurlFree<curl_easy_cleanup>>;
using CurlUrl = std::unique_ptr<CURLU, CurlFree<curl_url_cleanup>>;

// A header list for CURLOPT_HTTPHEADER; outlives the transfer.
class CurlHeaders {
 public:
  void add(const std::string& line) {
    list_.reset(curl_slist_append(list_.release(), line.c_str()));
  }
  curl_slist* get() const { return list_.get(); }

 private:
  std::unique_ptr<curl_slist, CurlFree<curl_slist_free_all>> list_;
};

// A handle that trusts nothing around it: no proxy, .netrc, cookies or other protocols than
// HTTP/1.1 over TCP or verified TLS. Never null.
CurlEasy make_easy();

// Runs the transfer on this thread, which must not be in another one of the same handle. go_on() is
// asked at least every 100 ms. When it says no, or on a stop request, the connection is closed and
// the result is CURLE_ABORTED_BY_CALLBACK.
CURLcode perform(CURL* easy, std::stop_token stop, const std::function<bool()>& go_on);

// Whether this code is about certificates or the TLS handshake.
bool is_tls_error(CURLcode code);

}  // namespace tru::fetch
