#include "fetch/hop.h"

#include <algorithm>

namespace tru::fetch {

Hop::Hop(const FetchConfig& config, const Url& url, const std::vector<Address>& addresses,
         const Fetcher::Progress& progress, Clock::time_point deadline)
    : config_(config),
      url_(url),
      addresses_(addresses),
      progress_(progress),
      deadline_(deadline),
      period_start_(start_) {
  set_up();
  pin();
}

void Hop::set_up() {
  CURL* easy = easy_.get();
  curl_easy_setopt(easy, CURLOPT_URL, url_.text().c_str());
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(config_.connect_timeout.count()));
  if (!config_.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, config_.ca_file.c_str());
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Hop::on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Hop::on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &Hop::on_open);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
}

// curl's own look-up of the name finds our answer.
void Hop::pin() {
  if (url_.host().find(':') != std::string::npos) return;  // an IPv6 address is not looked up
  std::string entry = fmt::format("{}:{}:", url_.host(), url_.port());
  for (std::size_t i = 0; i < addresses_.size(); ++i) {
    entry += (i == 0 ? "" : ",") + addresses_[i].text();
  }
  pinned_.reset(curl_slist_append(nullptr, entry.c_str()));
  curl_easy_setopt(easy_.get(), CURLOPT_RESOLVE, pinned_.get());
}

Result<std::optional<std::string>> Hop::run(PrivateFile& file, std::stop_token stop) {
  file_ = &file;
  const CURLcode code = perform(easy_.get(), stop, [this] { return go_on(); });
  if (redirected_) return location();
  if (error_) return tl::unexpected(*error_);
  if (stop.stop_requested()) return fail(ErrorCode::cancelled, "the download was cancelled");
  if (code != CURLE_OK) return tl::unexpected(error_of(code));
  if (!accept({})) {  // an answer without a body
    if (redirected_) return location();
    return tl::unexpected(*error_);
  }
  if (progress_) progress_(body_bytes_, body_bytes_);
  return std::nullopt;
}

// Ends the transfer as soon as nothing more is wanted of it.
bool Hop::stop_with(ErrorCode code, std::string_view message) {
  if (!error_) error_ = Error{code, std::string(message)};
  return false;
}

curl_socket_t Hop::on_open(void* self, curlsocktype, curl_sockaddr* address) {
  auto& hop = *static_cast<Hop*>(self);
  const auto target = Address::from(&address->addr);
  const auto& pinned = hop.addresses_;
  if (!target || std::find(pinned.begin(), pinned.end(), *target) == pinned.end()) {
    hop.stop_with(ErrorCode::url_not_allowed, "the web address leads to a place not allowed");
    return CURL_SOCKET_BAD;
  }
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

std::size_t Hop::on_header(char*, std::size_t, std::size_t size, void* self) {
  auto& hop = *static_cast<Hop*>(self);
  hop.header_bytes_ += static_cast<std::int64_t>(size);
  if (hop.header_bytes_ <= hop.config_.max_header_bytes) return size;
  hop.stop_with(ErrorCode::source_http_error, "the web server's answer has too large a head");
  return 0;
}

std::size_t Hop::on_body(char* data, std::size_t, std::size_t size, void* self) {
  return static_cast<Hop*>(self)->accept({data, size}) ? size : 0;
}

// The next bytes of the body. False ends the transfer.
bool Hop::accept(std::string_view data) {
  long status = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status >= 300 && status < 400 && location()) {
    redirected_ = true;
    return false;
  }
  if (status != 200) {
    return stop_with(ErrorCode::source_http_error,
                     fmt::format("the web server answered with status {}", status));
  }
  curl_off_t announced = -1;
  curl_easy_getinfo(easy_.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
  total_bytes_ = std::max<std::int64_t>(announced, 0);
  body_bytes_ += static_cast<std::int64_t>(data.size());
  if (std::max(total_bytes_, body_bytes_) > config_.max_bytes) {
    return stop_with(ErrorCode::source_too_large,
                     fmt::format("the file is larger than {} MiB", config_.max_bytes >> 20));
  }
  if (const Status written = file_->append(data); !written) {
    error_ = written.error();
    return false;
  }
  return true;
}

bool Hop::go_on() {
  const auto now = Clock::now();
  if (now > deadline_) return stop_with(ErrorCode::source_timeout, "the download took too long");
  if (header_bytes_ == 0) {
    period_start_ = now;
    if (now - start_ < config_.connect_timeout + config_.first_byte_timeout) return true;
    return stop_with(ErrorCode::source_timeout, "the web server did not answer");
  }
  if (now - period_start_ >= config_.min_bytes_period) {
    if (body_bytes_ - period_bytes_ < config_.min_bytes) {
      return stop_with(ErrorCode::source_timeout, "the web server sends too slowly");
    }
    period_start_ = now;
    period_bytes_ = body_bytes_;
  }
  if (progress_ && body_bytes_ > 0) progress_(body_bytes_, total_bytes_);
  return true;
}

std::optional<std::string> Hop::location() const {
  curl_header* header = nullptr;
  if (curl_easy_header(easy_.get(), "Location", 0, CURLH_HEADER, -1, &header) != CURLHE_OK) {
    return std::nullopt;
  }
  return header->value;
}

Error Hop::error_of(CURLcode code) const {
  if (is_tls_error(code)) {
    return {ErrorCode::source_tls_error, "the web server's certificate can't be trusted"};
  }
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return {ErrorCode::source_timeout, "the web server did not answer"};
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
      return {ErrorCode::source_unreachable, "the web server can't be reached"};
    case CURLE_PARTIAL_FILE:
      return {ErrorCode::source_truncated, "the web server ended the file too early"};
    case CURLE_RECV_ERROR:
      if (body_bytes_ > 0) {
        return {ErrorCode::source_truncated, "the web server ended the file too early"};
      }
      [[fallthrough]];
    default:
      return {ErrorCode::source_http_error, "the web server's answer is not valid HTTP"};
  }
}

}  // namespace tru::fetch
