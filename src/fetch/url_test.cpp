#include "fetch/url.h"

#include <gmock/gmock.h>

namespace tru::fetch {
namespace {

ErrorCode code_of(const std::string& text) {
  const auto url = Url::parse(text);
  return url ? ErrorCode::internal : url.error().code;
}

TEST(Url, IsBroughtToTheFormThatIsLookedUp) {
  auto url = Url::parse("HTTP://Example.ORG.:8080/a%20b/Clip%201.mp4?x=1#part");
  ASSERT_TRUE(url) << url.error().message;
  EXPECT_EQ(url->text(), "http://example.org:8080/a%20b/Clip%201.mp4?x=1");
  EXPECT_EQ(url->host(), "example.org");
  EXPECT_EQ(url->port(), 8080);
  EXPECT_EQ(url->name(), "Clip 1.mp4");
  EXPECT_FALSE(url->is_https());
  url = Url::parse("https://[2001:DB8::1]");
  ASSERT_TRUE(url) << url.error().message;
  EXPECT_EQ(url->host(), "2001:db8::1");
  EXPECT_EQ(url->port(), 443);
  EXPECT_EQ(url->name(), "2001:db8::1");
  EXPECT_TRUE(url->is_https());
}

TEST(Url, OtherSchemesAreRefused) {
  for (const char* text :
       {"file:///etc/passwd", "ftp://a/", "gopher://a/", "data:video/mp4;base64,AA==", "concat:a|b",
        "subfile,,start,0,end,1,,:x", "rtmp://a/", "unix:/run/x", "pipe:0", "crypto:x",
        "httpx://a/", "javascript:1", "localhost:8000/a"}) {
    const ErrorCode code = code_of(text);
    const bool odd = std::string_view(text).starts_with("subfile");  // not the form of a scheme
    EXPECT_EQ(code, odd ? ErrorCode::url_invalid : ErrorCode::url_scheme_not_allowed) << text;
  }
}

TEST(Url, WhatParsersDisagreeAboutIsRefused) {
  const std::string long_url = "http://example.org/" + std::string(65536, 'a');
  for (const std::string& text : {std::string(R"(http://127.0.0.1\@1.1.1.1/)"),
                                  std::string("http://1.1.1.1#@127.0.0.1/"),
                                  std::string("http://%31%32%37.0.0.1/"),
                                  std::string("http://a\tb/"),
                                  std::string("http://a/\r\nHost: b"),
                                  std::string("http://user:pass@a/"),
                                  std::string("http://user@a/"),
                                  std::string("http:///a"),
                                  std::string("http:/a"),
                                  std::string("http:a"),
                                  std::string("http://"),
                                  std::string("http://?x"),
                                  std::string("http://a b/"),
                                  std::string("http://[fe80::1%25eth0]/"),
                                  std::string("http://[::1"),
                                  std::string("/etc/passwd"),
                                  std::string("clip.mp4"),
                                  std::string(),
                                  std::string("http://a\0b/", 11),
                                  long_url}) {
    EXPECT_EQ(code_of(text), ErrorCode::url_invalid) << text.substr(0, 60);
  }
  EXPECT_EQ(code_of("http://b\xc3\xbc"
                    "cher.example/"),
            ErrorCode::url_not_allowed);
  for (const char* text : {"http://a:0/", "http://a:65536/", "http://a:99999999999/"}) {
    EXPECT_EQ(code_of(text), ErrorCode::url_port_not_allowed) << text;
  }
}

TEST(Url, FollowsLocations) {
  const auto url = Url::parse("https://a.example/x/y?z");
  EXPECT_EQ(url->follow("w.mp4")->text(), "https://a.example/x/w.mp4");
  EXPECT_EQ(url->follow("/w")->text(), "https://a.example/w");
  EXPECT_EQ(url->follow("//b.example/w")->text(), "https://b.example/w");
  EXPECT_EQ(url->follow("HTTP://b.example")->text(), "http://b.example/");
  EXPECT_EQ(url->follow("file:///etc/passwd").error().code, ErrorCode::url_scheme_not_allowed);
  EXPECT_EQ(url->follow("rtmp://b/").error().code, ErrorCode::url_scheme_not_allowed);
  EXPECT_EQ(url->follow("http://u@b/").error().code, ErrorCode::url_invalid);
  EXPECT_EQ(url->follow("http://b/\\").error().code, ErrorCode::url_invalid);
}

TEST(Url, TellsPathsFromWebAddresses) {
  EXPECT_TRUE(is_web_url("http://a"));
  EXPECT_TRUE(is_web_url("HTTPS://a"));
  EXPECT_FALSE(is_web_url("clips/http.mp4"));
  EXPECT_FALSE(is_web_url("file:///a"));
}

}  // namespace
}  // namespace tru::fetch
