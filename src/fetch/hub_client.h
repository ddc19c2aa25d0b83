// What the hub is asked over HTTP.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "fetch/curl.h"
#include "fetch/hub.h"

namespace tru::fetch {

struct HubListing {
  std::string commit;
  std::vector<std::string> names;  // paths; of letters, digits and ._- between the slashes
};

struct HubFile {
  std::string name;
  std::string etag;       // names the blob: sha256 of a large file, git's sha1 of a small one
  std::int64_t size = 0;  // bytes
};

// Takes a file's bytes in order. An error ends the transfer and is its result.
class HubSink {
 public:
  virtual ~HubSink() = default;
  virtual Status restart() = 0;  // all from the beginning: the server does not go on in the middle
  virtual Status append(std::string_view bytes) = 0;
};

// Used by several threads. Errors of all: `busy` is worth another try; model_invalid is not;
// cancelled.
class HubClient {
 public:
  HubClient(const HubConfig& config, std::string id);

  Result<HubListing> list(const std::string& revision, std::stop_token stop) const;
  Result<HubFile> describe(const std::string& commit, const std::string& name,
                           std::stop_token stop) const;
  // The file from `offset` on.
  Status read(const std::string& commit, const std::string& name, std::int64_t offset,
              HubSink& sink, std::stop_token stop) const;

 private:
  struct Response;

  Result<Response> get(const std::string& url, std::int64_t offset, HubSink& sink,
                       std::stop_token stop) const;
  Result<Response> head(const std::string& url, std::stop_token stop) const;
  CurlEasy prepare(const std::string& url, Response& response) const;
  Status run(CURL* easy, Response& response, std::stop_token stop) const;
  Error refusal(const Response& response) const;
  std::string file_url(const std::string& commit, const std::string& name) const;

  const HubConfig& config_;
  const std::string id_;
};

}  // namespace tru::fetch
