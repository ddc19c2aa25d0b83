#include "fetch/hub_client.h"

#include <algorithm>
#include <boost/json.hpp>
#include <boost/system/error_code.hpp>
#include <map>

namespace tru::fetch {
namespace {

namespace json = boost::json;

constexpr long kConnectTimeoutS = 15;
constexpr long kStallTimeoutS = 30;  // without a byte
constexpr long kMaxRedirects = 5;
constexpr std::size_t kMaxListingBytes = 16 << 20;

// A file name that means the same in a URL and in a folder.
bool is_plain_name(std::string_view name) {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
  return !name.empty() && name.size() <= 200 && name.front() != '.' &&
         name.find_first_not_of(kAllowed) == name.npos;
}

bool is_plain_path(std::string_view path) {
  for (;;) {
    const std::size_t slash = path.find('/');
    if (!is_plain_name(path.substr(0, slash))) return false;
    if (slash == path.npos) return true;
    path.remove_prefix(slash + 1);
  }
}

std::string lower(std::string_view text) {
  std::string copy(text);
  std::transform(copy.begin(), copy.end(), copy.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return copy;
}

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

class TextSink : public HubSink {
 public:
  Status restart() override {
    text.clear();
    return {};
  }
  Status append(std::string_view bytes) override {
    if (text.size() + bytes.size() > kMaxListingBytes) {
      return fail(ErrorCode::model_invalid, "the hub's list of files is too long");
    }
    text += bytes;
    return {};
  }
  std::string text;
};

}  // namespace

// Of the last request of a row of redirects.
struct HubClient::Response {
  long status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::int64_t offset = 0;                     // asked for
  HubSink* sink = nullptr;
  bool started = false;
  Status sunk;

  std::string header(const char* name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
  }

  static std::size_t on_header(char* data, std::size_t, std::size_t size, void* self) {
    auto& response = *static_cast<Response*>(self);
    const std::string_view line(data, size);
    if (line.starts_with("HTTP/")) {
      response.headers.clear();
      const std::size_t blank = line.find(' ');
      response.status = blank == line.npos ? 0 : std::atol(data + blank + 1);
    } else if (const std::size_t colon = line.find(':'); colon != line.npos) {
      response.headers[lower(line.substr(0, colon))] = trim(line.substr(colon + 1));
    }
    return size;
  }

  static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self) {
    auto& response = *static_cast<Response*>(self);
    if (response.sink == nullptr || response.status / 100 != 2) return size;  // an error's page
    if (!std::exchange(response.started, true) && response.offset > 0 && !response.goes_on()) {
      response.sunk = response.sink->restart();
    }
    if (response.sunk) response.sunk = response.sink->append({data, size});
    return response.sunk ? size : 0;
  }

  bool goes_on() const {
    return status == 206 && header("content-range").starts_with(fmt::format("bytes {}-", offset));
  }
};

HubClient::HubClient(const HubConfig& config, std::string id)
    : config_(config), id_(std::move(id)) {}

std::string HubClient::file_url(const std::string& commit, const std::string& name) const {
  return fmt::format("{}/{}/resolve/{}/{}", config_.endpoint, id_, commit, name);
}

CurlEasy HubClient::prepare(const std::string& url, Response& response) const {
  CurlEasy easy = make_easy();
  const auto set = [&](CURLoption option, auto value) {
    curl_easy_setopt(easy.get(), option, value);
  };
  set(CURLOPT_URL, url.c_str());
  // The hub is configured, not a stranger's choice: it may be behind the company's proxy.
  set(CURLOPT_PROXY, static_cast<const char*>(nullptr));
  if (url.starts_with("https://")) set(CURLOPT_REDIR_PROTOCOLS_STR, "https");
  set(CURLOPT_CONNECTTIMEOUT, kConnectTimeoutS);
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(CURLOPT_LOW_SPEED_TIME, kStallTimeoutS);
  set(CURLOPT_MAXREDIRS, kMaxRedirects);
  if (!config_.token.empty()) {
    // libcurl keeps it from other hosts and ports that a redirect leads to.
    set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BEARER));
    set(CURLOPT_XOAUTH2_BEARER, config_.token.c_str());
  }
  set(CURLOPT_HEADERFUNCTION, &Response::on_header);
  set(CURLOPT_HEADERDATA, &response);
  set(CURLOPT_WRITEFUNCTION, &Response::on_body);
  set(CURLOPT_WRITEDATA, &response);
  return easy;
}

Status HubClient::run(CURL* easy, Response& response, std::stop_token stop) const {
  const CURLcode code = perform(easy, stop, [] { return true; });
  if (stop.stop_requested()) return fail(ErrorCode::cancelled, "stopped");
  if (!response.sunk) return response.sunk;
  if (is_tls_error(code)) {
    return fail(ErrorCode::model_invalid,
                "{} does not prove who it is ({}); check HF_ENDPOINT and this machine's clock and "
                "certificates",
                config_.endpoint, curl_easy_strerror(code));
  }
  if (code == CURLE_TOO_MANY_REDIRECTS) {
    return fail(ErrorCode::model_invalid, "{} redirects in circles", config_.endpoint);
  }
  if (code != CURLE_OK) {
    return fail(ErrorCode::busy, "{}: {}", config_.endpoint, curl_easy_strerror(code));
  }
  if (response.status / 100 == 2 || response.status / 100 == 3) return {};
  return tl::unexpected(refusal(response));
}

Error HubClient::refusal(const Response& response) const {
  const std::string reason = response.header("x-error-code");
  const long status = response.status;
  if (status == 429 || status >= 500) {
    return {ErrorCode::busy, fmt::format("{} answered {}", config_.endpoint, status)};
  }
  if (reason == "GatedRepo" || status == 403) {
    const std::string what =
        config_.token.empty()
            ? fmt::format("then make a token at {}/settings/tokens and set HF_TOKEN",
                          config_.endpoint)
            : std::string("with the account that HF_TOKEN belongs to");
    return {ErrorCode::model_invalid, fmt::format("{} is gated: accept its terms at {}/{}, {}", id_,
                                                  config_.endpoint, id_, what)};
  }
  if (reason == "RevisionNotFound") {
    return {ErrorCode::model_invalid, fmt::format("{} has no such revision", id_)};
  }
  if (status == 401 && !config_.token.empty()) {
    return {ErrorCode::model_invalid,
            fmt::format("{} does not know the token in HF_TOKEN, or there is no model {}",
                        config_.endpoint, id_)};
  }
  if (status == 401 || status == 404) {
    return {ErrorCode::model_invalid,
            fmt::format("there is no model {} at {}; for a private one set HF_TOKEN", id_,
                        config_.endpoint)};
  }
  return {ErrorCode::model_invalid, fmt::format("{} answered {}", config_.endpoint, status)};
}

Result<HubClient::Response> HubClient::get(const std::string& url, std::int64_t offset,
                                           HubSink& sink, std::stop_token stop) const {
  Response response;
  response.offset = offset;
  response.sink = &sink;
  const CurlEasy easy = prepare(url, response);
  curl_easy_setopt(easy.get(), CURLOPT_FOLLOWLOCATION, 1L);
  const std::string range = fmt::format("{}-", offset);
  if (offset > 0) curl_easy_setopt(easy.get(), CURLOPT_RANGE, range.c_str());
  TRU_CHECK(run(easy.get(), response, stop));
  return response;
}

Result<HubClient::Response> HubClient::head(const std::string& url, std::stop_token stop) const {
  Response response;
  const CurlEasy easy = prepare(url, response);
  curl_easy_setopt(easy.get(), CURLOPT_NOBODY, 1L);
  TRU_CHECK(run(easy.get(), response, stop));
  return response;
}

Result<HubListing> HubClient::list(const std::string& revision, std::stop_token stop) const {
  const std::unique_ptr<char, CurlFree<curl_free>> escaped(
      curl_easy_escape(nullptr, revision.data(), static_cast<int>(revision.size())));
  TextSink sink;
  TRU_CHECK(get(fmt::format("{}/api/models/{}/revision/{}", config_.endpoint, id_, escaped.get()),
                0, sink, stop));
  boost::system::error_code error;
  const json::value parsed = json::parse(sink.text, error);
  const json::object* object = error ? nullptr : parsed.if_object();
  const json::value* commit = object == nullptr ? nullptr : object->if_contains("sha");
  const json::value* siblings = object == nullptr ? nullptr : object->if_contains("siblings");
  if (commit == nullptr || !commit->is_string() || !is_plain_name(commit->get_string()) ||
      siblings == nullptr || !siblings->is_array()) {
    return fail(ErrorCode::model_invalid, "{} does not answer as the Hugging Face hub does",
                config_.endpoint);
  }
  HubListing listing{std::string(commit->get_string()), {}};
  for (const json::value& file : siblings->get_array()) {
    const json::value* name =
        file.is_object() ? file.get_object().if_contains("rfilename") : nullptr;
    if (name != nullptr && name->is_string() && is_plain_path(name->get_string())) {
      listing.names.emplace_back(name->get_string());
    }
  }
  return listing;
}

Result<HubFile> HubClient::describe(const std::string& commit, const std::string& name,
                                    std::stop_token stop) const {
  HubFile file{name, {}, -1};
  std::string url = file_url(commit, name), etag, size;
  // A redirect within the hub is followed; one to where large files lie is the answer.
  for (long hop = 0; hop <= kMaxRedirects; ++hop) {
    TRU_TRY(const Response response, head(url, stop));
    const std::string location = response.header("location");
    if (etag.empty()) etag = response.header("x-linked-etag");
    if (size.empty()) size = response.header("x-linked-size");
    const bool within = location.starts_with('/') && !location.starts_with("//");
    if (response.status / 100 == 3 && within) {
      const std::size_t host = config_.endpoint.find("://") + 3;
      url = config_.endpoint.substr(0, config_.endpoint.find('/', host)) + location;
      continue;
    }
    if (etag.empty()) etag = response.header("etag");
    if (size.empty()) size = response.header("content-length");
    break;
  }
  if (etag.starts_with("W/")) etag.erase(0, 2);
  std::erase(etag, '"');
  if (!is_plain_name(etag) || size.empty() || size.find_first_not_of("0123456789") != size.npos ||
      size.size() > 15) {
    return fail(ErrorCode::model_invalid, "{} does not tell the size and digest of {}",
                config_.endpoint, name);
  }
  file.etag = etag;
  file.size = std::stoll(size);
  return file;
}

Status HubClient::read(const std::string& commit, const std::string& name, std::int64_t offset,
                       HubSink& sink, std::stop_token stop) const {
  TRU_CHECK(get(file_url(commit, name), offset, sink, stop));
  return {};
}

}  // namespace tru::fetch
