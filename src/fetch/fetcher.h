// Downloads what users name by URL: only from the public internet, only so much, only so long.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/private_file.h"
#include "fetch/host_limits.h"
#include "fetch/resolver.h"
#include "fetch/url.h"

namespace tru::fetch {

struct FetchConfig {
  std::vector<int> allowed_ports = {80, 443, 8000, 8080, 8443};
  bool allow_private = false;    // lifts the checks of address and port, nothing else
  std::filesystem::path folder;  // for the files, made if need be; empty: the temporary one
  std::string ca_file;           // certificates to trust; empty: the system's

  std::int64_t max_bytes = std::int64_t{1000} << 20;
  std::int64_t max_header_bytes = 64 << 10;
  int max_redirects = 3;
  int max_per_host = 4;  // downloads at the same time
  int max_total = 16;
  std::chrono::milliseconds resolve_timeout{5000};
  std::chrono::milliseconds connect_timeout{5000};  // TLS included
  std::chrono::milliseconds first_byte_timeout{15000};
  std::chrono::milliseconds total_timeout{3600000};
  std::int64_t min_bytes = 16384 * 30;  // in each
  std::chrono::milliseconds min_bytes_period{30000};

  Resolver resolver = system_resolver;
};

struct Download {
  PrivateFile file;
  std::string name;  // last part of the address's path
};

class Fetcher {
 public:
  // Bytes received and announced; 0: not known. Called on the downloading thread.
  using Progress = std::function<void(std::int64_t done, std::int64_t total)>;

  explicit Fetcher(FetchConfig config = {});

  // Each address on the way is looked up once, every answer must be public, and only these answers
  // are connected to. Any thread; ends within 200 ms of a stop request. What the server says about
  // the type is ignored, and nothing is unpacked. Messages name no address. Errors: url_*,
  // source_*, busy, storage_full, cancelled.
  Result<Download> fetch(const std::string& url, const Progress& progress,
                         std::stop_token stop) const;

 private:
  Result<std::vector<Address>> find(const Url& url, std::shared_ptr<void> place,
                                    std::stop_token stop) const;

  FetchConfig config_;
  mutable HostLimits limits_;
};

}  // namespace tru::fetch
