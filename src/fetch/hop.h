// One request of a download: to the end of the file, or to the next address.
#pragma once

#include <optional>

#include "fetch/curl.h"
#include "fetch/fetcher.h"

namespace tru::fetch {

class Hop {
 public:
  using Clock = std::chrono::steady_clock;

  // `addresses` are the only ones that will be connected to. The arguments outlive this.
  Hop(const FetchConfig& config, const Url& url, const std::vector<Address>& addresses,
      const Fetcher::Progress& progress, Clock::time_point deadline);

  // Appends the body to `file`, or returns the Location that a redirect names.
  Result<std::optional<std::string>> run(PrivateFile& file, std::stop_token stop);

 private:
  static std::size_t on_header(char* data, std::size_t one, std::size_t size, void* self);
  static std::size_t on_body(char* data, std::size_t one, std::size_t size, void* self);
  static curl_socket_t on_open(void* self, curlsocktype purpose, curl_sockaddr* address);

  void set_up();
  void pin();
  bool accept(std::string_view data);
  bool go_on();
  bool stop_with(ErrorCode code, std::string_view message);
  std::optional<std::string> location() const;
  Error error_of(CURLcode code) const;

  const FetchConfig& config_;
  const Url& url_;
  const std::vector<Address>& addresses_;
  const Fetcher::Progress& progress_;
  const Clock::time_point start_ = Clock::now();
  const Clock::time_point deadline_;
  CurlEasy easy_ = make_easy();
  std::unique_ptr<curl_slist, CurlFree<curl_slist_free_all>> pinned_;
  PrivateFile* file_ = nullptr;
  std::optional<Error> error_;  // why we ended the transfer
  bool redirected_ = false;
  std::int64_t header_bytes_ = 0;
  std::int64_t body_bytes_ = 0;
  std::int64_t total_bytes_ = 0;    // announced; 0: not known
  Clock::time_point period_start_;  // of the minimum rate
  std::int64_t period_bytes_ = 0;   // had come by then
};

}  // namespace tru::fetch
