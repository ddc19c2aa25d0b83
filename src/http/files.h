// Answers made of files: one of ours from the disk, or the web page's.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/exchange.h"
#include "http/response.h"
#include "http/task.h"

namespace tru::http {

// Fill one in before the co_await that passes it on: GCC 12 frees the strings of a braced one
// twice.
struct FileInfo {
  std::string content_type;
  std::string etag;  // quoted and strong; empty: made of size and time of change
  std::string cache_control = "private, no-cache";
};

// A file with Range (one range; several are answered in full), If-Range, If-None-Match and
// If-Modified-Since: 200, 206, 304, 416, or 404 when it is not there.
Task<Response> file_response(Exchange& exchange, std::filesystem::path path, FileInfo info);

// 304 if the client has `etag` already, else the response with that ETag.
Response with_etag(const Exchange& exchange, std::string_view etag, Response response);

// Every file below a folder, read once at the start: nothing else can be reached, whatever the
// path. "x.br" and "x.gz" beside "x" are its compressed forms. "a.html" and "a/index.html" also go
// by "/a".
class StaticFiles {
 public:
  struct Options {
    std::string html_csp;                             // Content-Security-Policy of pages
    std::string immutable_prefix = "/_next/static/";  // these are cached for a year
  };

  // config_invalid when the folder cannot be read.
  static Result<StaticFiles> load(const std::filesystem::path& folder, Options options);

  // The file at the exchange's path: 200, 304; else not_found.
  Response answer(const Exchange& exchange) const;

  // All that are answered, "/index.html" and "/" among them; see Router::add_files().
  std::vector<std::string> paths() const;

 private:
  using Content = std::shared_ptr<const std::string>;
  struct File {
    Content plain, brotli, gzip;  // null: not there
    std::string content_type;
    std::string hash;
  };

  std::map<std::string, std::shared_ptr<const File>, std::less<>> files_;  // by path
  Options options_;
};

}  // namespace tru::http
