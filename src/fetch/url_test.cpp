#include "fetch/url.h"

#include <gmock/gmock.h>

#include "fetch/address.h"

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

TEST(Address, SpecialRangesAreNotPublic) {
  for (const char* text : {"0.0.0.0",
                           "0.1.2.3",
                           "10.0.0.1",
                           "100.64.0.1",
                           "100.100.100.200",
                           "100.127.255.255",
                           "127.0.0.1",
                           "127.255.255.254",
                           "169.254.169.254",
                           "172.16.0.1",
                           "172.31.255.255",
                           "192.0.0.1",
                           "192.0.2.1",
                           "192.88.99.1",
                           "192.168.255.255",
                           "198.18.0.1",
                           "198.19.255.255",
                           "198.51.100.1",
                           "203.0.113.1",
                           "224.0.0.1",
                           "239.255.255.255",
                           "240.0.0.1",
                           "255.255.255.255",
                           "168.63.129.16",
                           "::",
                           "::1",
                           "::127.0.0.1",
                           "::ffff:127.0.0.1",
                           "::ffff:169.254.169.254",
                           "::ffff:7f00:1",
                           "64:ff9b::7f00:1",
                           "64:ff9b::a9fe:a9fe",
                           "64:ff9b:1::1",
                           "100::1",
                           "2001::1",
                           "2001:20::1",
                           "2001:db8::1",
                           "2002:7f00:1::",
                           "3fff::1",
                           "fc00::1",
                           "fd00:ec2::254",
                           "fe80::1",
                           "fec0::1",
                           "ff02::1",
                           "4000::1"}) {
    const auto address = Address::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_FALSE(address->is_public()) << text;
  }
  for (const char* text :
       {"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.255.255",
        "172.32.0.0", "192.167.255.255", "223.255.255.255", "::ffff:8.8.8.8", "64:ff9b::808:808",
        "2606:4700:4700::1111", "2a00::1", "2001:200::1"}) {
    const auto address = Address::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_TRUE(address->is_public()) << text;
  }
  EXPECT_FALSE(Address::parse("127.1"));
}

TEST(Address, KnowsThisMachine) {
  EXPECT_THAT(own_addresses(), testing::Contains(*Address::parse("127.0.0.1")));
  EXPECT_EQ(Address::parse("::ffff:8.8.8.8")->text(), "8.8.8.8");
  EXPECT_EQ(Address::parse("2001:db8:0::1")->text(), "2001:db8::1");
}

}  // namespace
}  // namespace tru::fetch
