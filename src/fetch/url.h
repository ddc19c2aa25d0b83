// Web addresses that users give us. libcurl's parser, which also connects, is the only one.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace tru::fetch {

class Url {
 public:
  // http or https with a host, which is brought to the form that is looked up: lower case, without
  // a final dot. What programs are known to read differently (user names, backslashes, control
  // characters, an encoded host or one with other letters) is refused. Errors: url_invalid,
  // url_not_allowed, url_scheme_not_allowed, url_port_not_allowed.
  static Result<Url> parse(std::string_view text);

  // Where a Location header of this address leads. Errors as parse().
  Result<Url> follow(std::string_view location) const;

  const std::string& text() const { return text_; }
  const std::string& host() const { return host_; }  // without the brackets of an IPv6 address
  int port() const { return port_; }
  bool is_https() const { return https_; }

  // The last part of the path, decoded: a name for people. The host if there is none.
  const std::string& name() const { return name_; }

 private:
  std::string text_;
  std::string host_;
  std::string name_;
  int port_ = 0;
  bool https_ = false;
};

// Whether this looks like the address of a web server, and not like a path.
bool is_web_url(std::string_view text);

}  // namespace tru::fetch
