// GCC 12 with sanitizers: the body limit within Beast's parser, set when it is made, "may be used
// uninitialized".
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

#include "http/request_head.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address_v6.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <charconv>
#include <limits>

#include "http/text.h"

namespace tru::http {
namespace {

namespace beast = boost::beast;
std::string_view view(beast::string_view text) {
  return {text.data(), text.size()};
}

bool is_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// name[:port], an IPv6 address in brackets.
bool is_authority(std::string_view text) {
  std::string_view name = text;
  if (const auto colon = text.rfind(':');
      colon != std::string_view::npos && text.find(']', colon) == std::string_view::npos) {
    if (!is_digits(text.substr(colon + 1)) || text.size() - colon > 6) return false;
    name = text.substr(0, colon);
  }
  if (name.starts_with('[') && name.ends_with(']')) {
    boost::system::error_code error;
    asio::ip::make_address_v6(std::string(name.substr(1, name.size() - 2)), error);
    return !error;
  }
  const auto allowed = [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '-' || c == '_';
  };
  return !name.empty() && name.size() <= 255 && std::all_of(name.begin(), name.end(), allowed);
}

// An absolute-form target is made origin-form; its authority must be what Host says.
Expected<std::string_view> origin_form(std::string_view target, std::string_view host) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!same_word(target.substr(0, scheme.size()), scheme)) continue;
    target.remove_prefix(scheme.size());
    const auto end = std::min(target.find_first_of("/?"), target.size());
    const auto authority = target.substr(0, end);
    if (!same_word(authority, host)) return refuse(refusal::bad_host);
    target.remove_prefix(end);
    return target.empty() ? "/" : target;
  }
  return target;
}

Expected<void> read_framing(RequestHead& head) {
  const auto lengths = head.count("Content-Length");
  const auto encodings = head.count("Transfer-Encoding");
  if (lengths + encodings > 1) return refuse(refusal::bad_framing);
  if (lengths == 1) {
    const auto text = *head.header("Content-Length");
    if (!is_digits(text) || text.size() > 18) return refuse(refusal::bad_framing);
    std::from_chars(text.data(), text.data() + text.size(), head.content_length);
  }
  if (encodings == 1) {
    const auto text = *head.header("Transfer-Encoding");
    if (!same_word(text, "chunked") || head.version < 11) {
      return refuse(refusal::bad_framing);
    }
    head.chunked = true;
  }
  return {};
}

Expected<void> read_host(RequestHead& head) {
  const auto hosts = head.count("Host");
  if (hosts > 1 || (hosts == 0 && head.version >= 11)) return refuse(refusal::bad_host);
  if (hosts == 0) return {};
  head.host = *head.header("Host");
  if (!is_authority(head.host)) return refuse(refusal::bad_host);
  return {};
}

Expected<void> read_expectations(RequestHead& head) {
  if (const auto expect = head.header("Expect")) {
    if (!same_word(*expect, "100-continue")) {
      return refuse(refusal::expectation_failed);
    }
    head.expects_continue = head.version >= 11;
  }
  const auto encoding = head.header("Content-Encoding");
  if (encoding && !same_word(*encoding, "identity")) {
    return refuse(refusal::unsupported_encoding);
  }
  return {};
}

}  // namespace

std::optional<std::string_view> RequestHead::header(std::string_view name) const {
  const auto found = fields.find({name.data(), name.size()});
  if (found == fields.end()) return std::nullopt;
  return view(found->value());
}

std::size_t RequestHead::count(std::string_view name) const {
  return fields.count({name.data(), name.size()});
}

Expected<RequestHead> parse_head(std::string_view block) {
  beast::http::request_parser<beast::http::empty_body> parser;
  // HeadScanner has limited the head; who reads the body limits that.
  parser.header_limit(std::numeric_limits<std::uint32_t>::max());
  parser.body_limit(std::numeric_limits<std::uint64_t>::max());
  beast::error_code error;
  parser.put(asio::buffer(block), error);
  if (error || !parser.is_header_done()) return refuse(refusal::bad_framing);

  auto& message = parser.get();
  RequestHead head;
  head.method = message.method();
  head.version = static_cast<int>(message.version());
  head.keep_alive = message.keep_alive();
  const std::string text(view(message.target()));
  head.fields = std::move(static_cast<beast::http::fields&>(message));

  if (auto status = read_framing(head); !status) return refuse(std::move(status).error());
  if (auto status = read_host(head); !status) return refuse(std::move(status).error());
  if (auto status = read_expectations(head); !status) return refuse(std::move(status).error());
  if (head.method == Verb::connect || (head.method == Verb::options && text == "*")) {
    head.target.path = "*";  // no path of ours: matches no route
    return head;
  }
  auto origin = origin_form(text, head.host);
  if (!origin) return refuse(std::move(origin).error());
  auto target = parse_target(origin->starts_with('?') ? "/" + std::string(*origin) : *origin);
  if (!target) return refuse(std::move(target).error());
  head.target = std::move(*target);
  return head;
}

}  // namespace tru::http
