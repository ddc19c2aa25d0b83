#include "fetch/url.h"

#include <algorithm>
#include <charconv>

#include "base/assert.h"
#include "fetch/curl.h"

namespace tru::fetch {
namespace {

constexpr std::size_t kMaxBytes = 8192;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](char c) { return lower(c); });
  return result;
}

// Text before the first ':', if it has the form of a scheme.
std::string scheme_of(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return {};
  const std::string scheme = lower(text.substr(0, colon));
  const bool valid = std::all_of(scheme.begin(), scheme.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
  });
  return valid ? scheme : std::string();
}

auto not_an_address(std::string_view why) {
  return fail(ErrorCode::url_invalid, "this web address can't be used: {}", why);
}

// What parsers disagree about.
Status check_text(std::string_view text) {
  if (text.size() > kMaxBytes) return not_an_address("it is longer than 8192 bytes");
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7f || c == '\\') {
      return not_an_address("it holds a space, backslash or control character");
    }
  }
  return {};
}

Status check_authority(std::string_view after_scheme) {
  if (!after_scheme.starts_with("//") || after_scheme.starts_with("///")) {
    return not_an_address("it must have the form https://host/path");
  }
  const std::string_view rest = after_scheme.substr(2);
  if (rest.substr(0, rest.find('/')).find('@') != std::string_view::npos) {
    return not_an_address("it holds a user name");
  }
  if (rest.substr(0, rest.find_first_of("/?#")).find('%') != std::string_view::npos) {
    return not_an_address("its host is encoded");
  }
  return {};
}

Status check(CURLUcode code) {
  if (code == CURLUE_OK) return {};
  if (code == CURLUE_BAD_PORT_NUMBER) {
    return fail(ErrorCode::url_port_not_allowed, "the port of this web address is not a port");
  }
  if (code == CURLUE_UNSUPPORTED_SCHEME) {
    return fail(ErrorCode::url_scheme_not_allowed,
                "web addresses must begin with http:// or https://");
  }
  return not_an_address("it has no valid host");
}

// A part of the address, or empty.
std::string part(CURLU* url, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, which, &text, flags) != CURLUE_OK) return {};
  const std::unique_ptr<char, CurlFree<curl_free>> owner(text);
  return text;
}

// Lower case, no final dot.
Status settle_host(CURLU* url) {
  if (!part(url, CURLUPART_ZONEID).empty()) return not_an_address("it names a network interface");
  std::string host = lower(part(url, CURLUPART_HOST));
  if (std::any_of(host.begin(), host.end(), [](char c) { return (c & 0x80) != 0; })) {
    // Libraries differ in what they make of such letters; digits among them are a known trick.
    return fail(ErrorCode::url_not_allowed,
                "the host of a web address must be in ASCII (xn--... for other letters)");
  }
  while (host.ends_with('.')) host.pop_back();
  if (host.empty()) return not_an_address("it has no valid host");
  return check(curl_url_set(url, CURLUPART_HOST, host.c_str(), 0));
}

std::string last_part(const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  int size = 0;
  const std::unique_ptr<char, CurlFree<curl_free>> decoded(
      curl_easy_unescape(nullptr, name.c_str(), static_cast<int>(name.size()), &size));
  return decoded ? std::string(decoded.get(), static_cast<std::size_t>(size)) : name;
}

}  // namespace

bool is_web_url(std::string_view text) {
  const std::string scheme = scheme_of(text);
  return scheme == "http" || scheme == "https";
}

Result<Url> Url::parse(std::string_view text) {
  TRU_CHECK(check_text(text));
  const std::string scheme = scheme_of(text);
  if (scheme.empty()) return not_an_address("it must have the form https://host/path");
  if (!is_web_url(text)) return tl::unexpected(check(CURLUE_UNSUPPORTED_SCHEME).error());
  TRU_CHECK(check_authority(text.substr(scheme.size() + 1)));

  const CurlUrl url(curl_url());
  TRU_ASSERT(url != nullptr);
  TRU_CHECK(check(curl_url_set(url.get(), CURLUPART_URL, std::string(text).c_str(),
                               CURLU_DISALLOW_USER | CURLU_URLENCODE)));
  TRU_CHECK(settle_host(url.get()));
  curl_url_set(url.get(), CURLUPART_FRAGMENT, nullptr, 0);

  Url result;
  result.https_ = scheme == "https";
  result.text_ = part(url.get(), CURLUPART_URL);
  result.host_ = part(url.get(), CURLUPART_HOST);
  if (result.host_.starts_with('[')) result.host_ = result.host_.substr(1, result.host_.size() - 2);
  const std::string port = part(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  std::from_chars(port.data(), port.data() + port.size(), result.port_);
  if (result.port_ < 1) return tl::unexpected(check(CURLUE_BAD_PORT_NUMBER).error());
  result.name_ = last_part(part(url.get(), CURLUPART_PATH));
  if (result.name_.empty()) result.name_ = result.host_;
  return result;
}

Result<Url> Url::follow(std::string_view location) const {
  TRU_CHECK(check_text(location));
  const CurlUrl url(curl_url());
  TRU_ASSERT(url != nullptr);
  TRU_CHECK(check(curl_url_set(url.get(), CURLUPART_URL, text_.c_str(), 0)));
  TRU_CHECK(check(curl_url_set(url.get(), CURLUPART_URL, std::string(location).c_str(),
                               CURLU_NON_SUPPORT_SCHEME)));
  return parse(part(url.get(), CURLUPART_URL));
}

}  // namespace tru::fetch
