#include "fetch/fetcher.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>

#include <fstream>
#include <future>
#include <sstream>

#include "base/stopwatch.h"
#include "fetch/test_server.h"

namespace tru::fetch {
namespace {

using namespace std::chrono_literals;

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class FetcherTest : public testing::Test {
 protected:
  FetcherTest() {
    folder_ = std::filesystem::temp_directory_path() / fmt::format("fetch_test_{}", getpid());
    std::filesystem::create_directories(folder_);
    config_.folder = folder_;
    config_.allow_private = true;
  }
  // Whatever a test did, nothing of it is left.
  ~FetcherTest() override {
    EXPECT_TRUE(std::filesystem::is_empty(folder_));
    std::filesystem::remove_all(folder_);
  }

  Result<std::string> fetch(const std::string& url, std::stop_token stop = {}) const {
    TRU_TRY(const Download download, Fetcher(config_).fetch(url, {}, stop));
    return read_file(download.file.path());
  }

  ErrorCode error_of(const std::string& url) const {
    const auto result = fetch(url);
    EXPECT_FALSE(result) << url;
    if (result) return ErrorCode::internal;
    EXPECT_THAT(result.error().message, testing::Not(testing::ContainsRegex("[0-9]+\\.[0-9]+\\.")));
    return result.error().code;
  }

  FetchConfig config_;
  std::filesystem::path folder_;
};

// Answers of a name, one list after another; the last one is kept.
Resolver answers(std::vector<std::vector<const char*>> lists, std::shared_ptr<int> asked) {
  return [lists, asked](const std::string&) -> Result<std::vector<Address>> {
    const auto at = std::min<std::size_t>(static_cast<std::size_t>((*asked)++), lists.size() - 1);
    std::vector<Address> addresses;
    for (const char* text : lists[at]) addresses.push_back(*Address::parse(text));
    return addresses;
  };
}

TEST_F(FetcherTest, ADownloadIsAFileUntilItsOwnerIsGone) {
  const std::string body(300'000, 'v');
  const TestServer server([&](const TestConnection& c) { c.ok(body); });
  std::int64_t done = 0, total = 0;
  auto download = Fetcher(config_).fetch(server.url("/dir/a%20clip.mp4?x=1"),
                                         [&](auto d, auto t) { done = d, total = t; }, {});
  ASSERT_TRUE(download) << download.error().message;
  EXPECT_EQ(download->name, "a clip.mp4");
  EXPECT_EQ(read_file(download->file.path()), body);
  EXPECT_EQ(done, 300'000);
  EXPECT_EQ(total, 300'000);
  EXPECT_EQ(std::filesystem::status(download->file.path()).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(FetcherTest, TheEnvironmentIsIgnored) {
  const TestServer proxy([](const TestConnection& c) { c.ok("from the proxy"); });
  const TestServer server([](const TestConnection& c) { c.ok(c.request); });
  setenv("http_proxy", proxy.url().c_str(), 1);
  setenv("ALL_PROXY", proxy.url().c_str(), 1);
  const auto request = fetch(server.url("/clip"));
  unsetenv("http_proxy");
  unsetenv("ALL_PROXY");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_THAT(*request, testing::StartsWith("GET /clip HTTP/1.1\r\n"));
  EXPECT_THAT(*request, testing::Not(testing::HasSubstr("Accept-Encoding")));
  EXPECT_THAT(*request, testing::Not(testing::HasSubstr("Authorization")));
  EXPECT_EQ(proxy.hits(), 0);
}

TEST_F(FetcherTest, PrivateAddressesAreNotConnectedTo) {
  const TestServer server([](const TestConnection& c) { c.ok("secret"); });
  config_.allow_private = false;
  config_.allowed_ports.push_back(server.port());
  for (const char* host : {"127.0.0.1",
                           "localhost",
                           "0.0.0.0",
                           "0",
                           "[::1]",
                           "[::]",
                           "2130706433",
                           "0177.0.0.1",
                           "0x7f.1",
                           "127.1",
                           "0x7f000001",
                           "127.0.0.1.",
                           "localhost.",
                           "\xef\xbc\x91\x32\x37.0.0.1",
                           "[::ffff:127.0.0.1]",
                           "[::ffff:7f00:1]",
                           "[64:ff9b::7f00:1]",
                           "[2002:7f00:1::]",
                           "[fd00:ec2::254]",
                           "[::127.0.0.1]",
                           "169.254.169.254",
                           "100.100.100.200",
                           "10.0.0.1",
                           "metadata.google.internal",
                           "printer.local",
                           "a.localhost"}) {
    EXPECT_EQ(error_of(server.url("/", host)), ErrorCode::url_not_allowed) << host;
  }
  EXPECT_EQ(server.hits(), 0);
}

TEST_F(FetcherTest, OnlyThePortsOfWebServersAreConnectedTo) {
  config_.allow_private = false;
  for (const int port : {22, 25, 6379}) {
    EXPECT_EQ(error_of(fmt::format("http://1.1.1.1:{}/", port)), ErrorCode::url_port_not_allowed);
  }
}

TEST_F(FetcherTest, EveryAnswerOfANameMustBePublic) {
  const TestServer server([](const TestConnection& c) { c.ok("secret"); });
  config_.allow_private = false;
  config_.allowed_ports.push_back(server.port());
  const auto asked = std::make_shared<int>(0);
  for (const auto& list : std::vector<std::vector<const char*>>{
           {"127.0.0.1"}, {"8.8.8.8", "127.0.0.1"}, {"8.8.8.8", "::ffff:10.0.0.1"}, {"fe80::1"}}) {
    config_.resolver = answers({list}, asked);
    EXPECT_EQ(error_of(server.url("/", "rebind.example")), ErrorCode::url_not_allowed);
  }
  EXPECT_EQ(server.hits(), 0);
}

// The name changes its address between the check and the connection.
TEST_F(FetcherTest, ANameIsLookedUpOnceAndPinned) {
  const TestServer server([](const TestConnection& c) { c.ok("clip"); });
  const auto asked = std::make_shared<int>(0);
  config_.resolver = answers({{"127.0.0.1"}, {"127.0.0.2"}}, asked);
  EXPECT_EQ(*fetch(server.url("/", "clips.example")), "clip");
  EXPECT_EQ(*asked, 1);
}

TEST_F(FetcherTest, NamesThatAreNotFound) {
  config_.resolver = [](const std::string&) -> Result<std::vector<Address>> {
    return fail(ErrorCode::source_unreachable, "no");
  };
  EXPECT_EQ(error_of("http://nowhere.example/"), ErrorCode::source_unreachable);
  auto release = std::make_shared<std::promise<void>>();
  config_.resolver = [wait = release->get_future().share()](const std::string&) {
    wait.wait();
    return Result<std::vector<Address>>(std::vector{*Address::parse("127.0.0.1")});
  };
  config_.resolve_timeout = 50ms;
  EXPECT_EQ(error_of("http://silent.example/"), ErrorCode::source_timeout);
  release->set_value();
}

TEST_F(FetcherTest, RedirectsAreFollowedThreeTimes) {
  const TestServer server([](const TestConnection& c) {
    if (c.path == "/end") return c.ok("clip");
    const int left = c.path.back() - '0';
    c.redirect(left == 1 ? "end" : fmt::format("/hop{}", left - 1), 300 + left);
  });
  EXPECT_EQ(*fetch(server.url("/hop3")), "clip");
  EXPECT_EQ(server.hits(), 4);
  EXPECT_EQ(error_of(server.url("/hop4")), ErrorCode::source_redirects);
  const TestServer loop([](const TestConnection& c) { c.redirect("/"); });
  EXPECT_EQ(error_of(loop.url()), ErrorCode::source_redirects);
  EXPECT_EQ(loop.hits(), 4);
}

TEST_F(FetcherTest, EveryHopIsChecked) {
  const TestServer inside([](const TestConnection& c) { c.ok("secret"); });
  std::string target;
  const TestServer server([&](const TestConnection& c) { c.redirect(target, 307); });
  const auto expect = [&](ErrorCode code, const std::string& location) {
    target = location;
    EXPECT_EQ(error_of(server.url()), code) << location.substr(0, 60);
  };
  expect(ErrorCode::url_scheme_not_allowed, "file:///etc/passwd");
  expect(ErrorCode::url_scheme_not_allowed, "gopher://127.0.0.1/");
  expect(ErrorCode::url_invalid, "http://u@127.0.0.1/");
  expect(ErrorCode::source_http_error, "/" + std::string(1 << 20, 'a'));

  // The first hop is public by its resolver's word, the second is not.
  config_.allow_private = false;
  config_.allowed_ports.push_back(server.port());
  const auto asked = std::make_shared<int>(0);
  const auto loopback_as_public = [](const std::string& host) -> Result<std::vector<Address>> {
    if (host == "public.example") return std::vector{*Address::parse("8.8.8.8")};
    return system_resolver(host);
  };
  config_.resolver = loopback_as_public;
  EXPECT_EQ(error_of(inside.url()), ErrorCode::url_port_not_allowed);
  EXPECT_EQ(inside.hits(), 0);
}

TEST_F(FetcherTest, OnlyStatus200IsADownload) {
  const TestServer server([](const TestConnection& c) {
    const std::string status = c.path.substr(1);
    c.send("HTTP/1.1 " + status + " Secret\r\nContent-Length: 6\r\n\r\nsecret");
  });
  for (const int status : {201, 206, 300, 400, 401, 404, 429, 500, 503}) {
    const auto result = fetch(server.url(fmt::format("/{}", status)));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::source_http_error);
    EXPECT_THAT(result.error().message, testing::HasSubstr(fmt::format("{}", status)));
    EXPECT_THAT(result.error().message, testing::Not(testing::HasSubstr("ecret")));
  }
}

TEST_F(FetcherTest, WhatIsNotHttpIsRefused) {
  std::string answer;
  const TestServer server([&](const TestConnection& c) { c.send(answer); });
  for (const std::string& text :
       {std::string(), std::string("junk without a status line\n"), std::string("\0\1\2", 3),
        std::string("HTTP/1.1 204 No Content\r\n\r\n"),
        "HTTP/1.1 200 OK\r\n" + std::string(10 << 20, 'h')}) {
    answer = text;
    EXPECT_EQ(error_of(server.url()), ErrorCode::source_http_error) << text.substr(0, 20);
  }
}

TEST_F(FetcherTest, PackedAnswersAreNotUnpacked) {
  const TestServer server([](const TestConnection& c) {
    c.send("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b..");
  });
  EXPECT_EQ(*fetch(server.url()), "\x1f\x8b..");
}

TEST_F(FetcherTest, SizeIsLimitedByWhatIsAnnouncedAndByWhatComes) {
  config_.max_bytes = 100'000;
  std::string head;
  const TestServer server([&](const TestConnection& c) {
    c.send(head);
    while (c.send(std::string(4096, 'v'))) {
    }
  });
  head = "HTTP/1.1 200 OK\r\nContent-Length: 100001\r\n\r\n";
  EXPECT_EQ(error_of(server.url()), ErrorCode::source_too_large);
  head = "HTTP/1.1 200 OK\r\n\r\n";
  EXPECT_EQ(error_of(server.url()), ErrorCode::source_too_large);
}

TEST_F(FetcherTest, AFileThatEndsEarlyIsRefused) {
  bool reset = false, chunked = false;
  const TestServer server([&](const TestConnection& c) {
    c.send(chunked ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
                   : "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
    if (reset) {
      std::this_thread::sleep_for(100ms);  // a reset may take the bytes before it along
      c.reset();
    }
  });
  EXPECT_EQ(error_of(server.url()), ErrorCode::source_truncated);
  reset = true;
  EXPECT_EQ(error_of(server.url()), ErrorCode::source_truncated);
  reset = false;
  chunked = true;
  EXPECT_EQ(error_of(server.url()), ErrorCode::source_truncated);
}

TEST_F(FetcherTest, SlownessHasLimits) {
  config_.connect_timeout = 100ms;
  config_.first_byte_timeout = 100ms;
  config_.min_bytes_period = 200ms;
  config_.min_bytes = 1000;
  std::string head;
  bool trickle = false;
  const TestServer server([&](const TestConnection& c) {
    c.send(head);
    while (trickle && c.send("v")) std::this_thread::sleep_for(20ms);
    c.stall();
  });
  EXPECT_EQ(error_of(server.url()), ErrorCode::source_timeout);  // no answer
  EXPECT_EQ(error_of(fmt::format("https://127.0.0.1:{}/", server.port())),
            ErrorCode::source_timeout);  // no TLS answer
  head = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
  EXPECT_EQ(error_of(server.url()), ErrorCode::source_timeout);  // no body
  trickle = true;
  EXPECT_EQ(error_of(server.url()), ErrorCode::source_timeout);  // a byte now and then
  config_.min_bytes = 1;
  config_.total_timeout = 300ms;
  EXPECT_EQ(error_of(server.url()), ErrorCode::source_timeout);  // for ever
}

TEST_F(FetcherTest, NobodyListens) {
  int port = 0;
  {
    const TestServer gone([](const TestConnection&) {});
    port = gone.port();
  }
  EXPECT_EQ(error_of(fmt::format("http://127.0.0.1:{}/", port)), ErrorCode::source_unreachable);
}

TEST_F(FetcherTest, AStopRequestEndsADownloadAtOnce) {
  const TestServer server([](const TestConnection& c) {
    c.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
    c.stall();
  });
  std::stop_source stop;
  std::jthread stopper([&] {
    std::this_thread::sleep_for(100ms);
    stop.request_stop();
  });
  const auto result = fetch(server.url(), stop.get_token());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::cancelled);
  EXPECT_EQ(fetch(server.url(), stop.get_token()).error().code, ErrorCode::cancelled);
}

TEST_F(FetcherTest, AHostServesOnlySomeAtATime) {
  const TestServer slow([](const TestConnection& c) { c.stall(); });
  const TestServer other([](const TestConnection& c) { c.ok("clip"); });
  config_.max_per_host = 2;
  config_.resolver = [](const std::string&) {
    return Result<std::vector<Address>>(std::vector{*Address::parse("127.0.0.1")});
  };
  const Fetcher fetcher(config_);
  std::stop_source stop;
  std::vector<std::future<ErrorCode>> held;
  for (int i = 0; i < 2; ++i) {
    held.push_back(std::async(std::launch::async, [&] {
      return fetcher.fetch(slow.url("/", "slow.example"), {}, stop.get_token()).error().code;
    }));
  }
  while (slow.hits() < 2) std::this_thread::sleep_for(5ms);
  const auto third = fetcher.fetch(slow.url("/", "slow.example"), {}, {});
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, ErrorCode::busy);
  EXPECT_TRUE(fetcher.fetch(other.url("/", "other.example"), {}, {}));
  stop.request_stop();
  for (auto& result : held) EXPECT_EQ(result.get(), ErrorCode::cancelled);
  EXPECT_TRUE(fetcher.fetch(other.url("/", "slow.example"), {}, {}));
}

// Certificates of our own making, and the openssl program as the server.
class TlsServer {
 public:
  TlsServer() {
    char name[] = "/tmp/tls_testXXXXXX";
    folder_ = mkdtemp(name);
    const std::string in = "cd " + folder_.string() + " && ";
    TRU_ASSERT(std::system((in + "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
                                 "-nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=tru "
                                 "-addext subjectAltName=DNS:clips.example 2>/dev/null")
                               .c_str()) == 0);
    {
      const TestServer finds_a_port([](const TestConnection&) {});
      port_ = finds_a_port.port();
    }
    pid_ = fork();
    if (pid_ == 0) {
      const auto at = [this](const char* file) { return (folder_ / file).string(); };
      execlp("openssl", "openssl", "s_server", "-accept",
             fmt::format("127.0.0.1:{}", port_).c_str(), "-cert", at("cert.pem").c_str(), "-key",
             at("key.pem").c_str(), "-www", "-quiet", nullptr);
      _exit(127);
    }
  }
  ~TlsServer() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    std::filesystem::remove_all(folder_);
  }

  std::string url(const std::string& host) const {
    return fmt::format("https://{}:{}/", host, port_);
  }
  std::string ca_file() const { return folder_ / "cert.pem"; }

 private:
  std::filesystem::path folder_;
  int port_ = 0;
  pid_t pid_ = -1;
};

TEST_F(FetcherTest, ServersProveWhoTheyAre) {
  const TlsServer server;
  config_.resolver = [](const std::string&) {
    return Result<std::vector<Address>>(std::vector{*Address::parse("127.0.0.1")});
  };
  config_.ca_file = server.ca_file();
  auto page = fetch(server.url("clips.example"));
  for (int tries = 0; !page && tries < 100; ++tries) {  // until it listens
    std::this_thread::sleep_for(50ms);
    page = fetch(server.url("clips.example"));
  }
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_THAT(*page, testing::HasSubstr("s_server"));
  EXPECT_EQ(error_of(server.url("other.example")), ErrorCode::source_tls_error);
  config_.ca_file.clear();
  EXPECT_EQ(error_of(server.url("clips.example")), ErrorCode::source_tls_error);
}

}  // namespace
}  // namespace tru::fetch
