#include "backend/remote/http_client.h"

#include "fetch/curl.h"

namespace tru::backend {
namespace {

constexpr std::size_t kMaxBody = 4 << 20;

// What a transfer knows of itself.
struct Transfer {
  using Clock = std::chrono::steady_clock;

  const HttpRequest& request;
  CURL* easy;
  HttpReply reply{};
  bool ended = false;      // by on_data
  bool too_large = false;  // the body
  bool silent = false;     // timed out
  Clock::time_point last_byte = Clock::now();
  bool answered = false;

  bool take(std::string_view data) {
    last_byte = Clock::now();
    answered = true;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &reply.status);
    if (reply.status == 200 && request.on_data) {
      ended = !request.on_data(data);
      return !ended;
    }
    too_large = reply.body.size() + data.size() > kMaxBody;
    if (!too_large) reply.body += data;
    return !too_large;
  }

  bool go_on() {
    const auto limit = answered ? request.idle_timeout : request.first_byte_timeout;
    silent = Clock::now() - last_byte > limit;
    return !silent;
  }

  static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self) {
    return static_cast<Transfer*>(self)->take({data, size}) ? size : 0;
  }
};

Status check(CURLcode code, const Transfer& transfer, const std::stop_token& stop) {
  if (code == CURLE_OK || transfer.ended) return {};
  if (stop.stop_requested()) return fail(ErrorCode::cancelled, "the request was cancelled");
  if (transfer.silent || code == CURLE_OPERATION_TIMEDOUT) {
    return fail(ErrorCode::backend_timeout, "the back end stopped answering");
  }
  if (transfer.too_large) {
    return fail(ErrorCode::backend_protocol, "the back end's answer is too large");
  }
  switch (code) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
      return fail(ErrorCode::backend_unavailable, "the back end can't be reached");
    default:
      if (fetch::is_tls_error(code)) {
        return fail(ErrorCode::backend_unavailable, "the back end's certificate can't be trusted");
      }
      return fail(ErrorCode::backend_protocol, "the back end broke the connection off");
  }
}

}  // namespace

Result<HttpReply> HttpClient::send(const HttpRequest& request, std::stop_token stop) const {
  const fetch::CurlEasy owner = fetch::make_easy();
  CURL* easy = owner.get();
  fetch::CurlHeaders headers;
  headers.add("Expect:");  // no waiting for leave to send
  if (!api_key_.empty()) headers.add("Authorization: Bearer " + api_key_);
  if (!request.traceparent.empty()) headers.add("traceparent: " + request.traceparent);
  if (!request.body.empty()) {
    headers.add("Content-Type: application/json");
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
  }
  Transfer transfer{request, easy};
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(easy, CURLOPT_URL, (base_url_ + request.path).c_str());
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(connect_timeout_.count()));
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);

  const CURLcode code = fetch::perform(easy, stop, [&] { return transfer.go_on(); });
  TRU_CHECK(check(code, transfer, stop));
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &transfer.reply.status);
  const char* type = nullptr;
  curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
  if (type != nullptr) transfer.reply.content_type = type;
  return std::move(transfer.reply);
}

}  // namespace tru::backend
