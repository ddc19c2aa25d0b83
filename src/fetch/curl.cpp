#include "fetch/curl.h"

#include <pthread.h>
#include <signal.h>

#include <ctime>

#include "base/assert.h"

namespace tru::fetch {
namespace {

constexpr int kPollMs = 100;

using CurlMulti = std::unique_ptr<CURLM, CurlFree<curl_multi_cleanup>>;

// A peer that is gone while TLS writes would end the program by SIGPIPE.
class NoSigpipe {
 public:
  NoSigpipe() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~NoSigpipe() {
    if (sigismember(&before_, SIGPIPE) == 0) {
      const timespec no_wait{};
      while (sigtimedwait(&pipe_, nullptr, &no_wait) > 0) {
      }
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoSigpipe(const NoSigpipe&) = delete;
  NoSigpipe& operator=(const NoSigpipe&) = delete;

 private:
  sigset_t pipe_{};
  sigset_t before_{};
};

}  // namespace

CurlEasy make_easy() {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  TRU_ASSERT(initialised == CURLE_OK);
  CurlEasy easy(curl_easy_init());
  TRU_ASSERT(easy != nullptr);
  curl_easy_setopt(easy.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy.get(), CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy.get(), CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy.get(), CURLOPT_PROXY, "");  // not from the environment either
  curl_easy_setopt(easy.get(), CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(easy.get(), CURLOPT_USERAGENT, "tru/" TRU_VERSION);
  return easy;
}

CURLcode perform(CURL* easy, std::stop_token stop, const std::function<bool()>& go_on) {
  const NoSigpipe no_sigpipe;
  const CurlMulti multi(curl_multi_init());
  TRU_ASSERT(multi != nullptr);
  if (curl_multi_add_handle(multi.get(), easy) != CURLM_OK) return CURLE_FAILED_INIT;
  CURLcode result = CURLE_ABORTED_BY_CALLBACK;
  {
    const std::stop_callback wake(stop, [&] { curl_multi_wakeup(multi.get()); });
    while (!stop.stop_requested() && go_on()) {
      int running = 0;
      if (curl_multi_perform(multi.get(), &running) != CURLM_OK) break;
      if (running == 0) {
        int left = 0;
        const CURLMsg* message = curl_multi_info_read(multi.get(), &left);
        if (message != nullptr) result = message->data.result;
        break;
      }
      curl_multi_poll(multi.get(), nullptr, 0, kPollMs, nullptr);
    }
  }
  curl_multi_remove_handle(multi.get(), easy);
  return result;
}

bool is_tls_error(CURLcode code) {
  switch (code) {
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
      return true;
    default:
      return false;
  }
}

}  // namespace tru::fetch
