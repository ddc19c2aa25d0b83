// Requests that are wrong, odd, slow or cut, byte by byte on the wire.
#include <gmock/gmock.h>

#include <array>
#include <random>

#include "http/body_reader.h"
#include "http/test_server.h"

namespace tru::http {
namespace {

using namespace test;
using testing::HasSubstr;

Task<Response> get_root(int&, Exchange&) {
  co_return Response(200, "text/plain", "root");
}

Task<Response> post_echo(int&, Exchange& exchange) {
  TRU_HTTP_TRY(std::string body, co_await exchange.read_body(1 << 20));
  co_return Response(200, "text/plain", std::move(body));
}

// Keeps the thread that serves all connections, so that what they receive meanwhile piles up.
Task<Response> get_busy(int&, Exchange&) {
  ::usleep(100'000);
  co_return Response(204, "text/plain", "");
}

constexpr std::array kRoutes{
    Route<int>{Verb::get, "/", get_root},
    Route<int>{Verb::get, "/busy", get_busy},
    Route<int>{Verb::post, "/echo", post_echo},
};

class FramingTest : public testing::Test {
 protected:
  void serve(Limits limits = {}) {
    Router router;
    router.add(nothing, kRoutes);
    ServerConfig config;
    config.limits = limits;
    server = start(std::move(router), std::move(config));
  }

  int nothing = 0;
  std::unique_ptr<Server> server;
};

struct Bad {
  const char* what;
  std::string request;
  int status;
  const char* code;
};

const std::string kHost = "Host: localhost\r\n";

std::string echo(std::string_view fields, std::string_view body = "") {
  return "POST /echo HTTP/1.1\r\n" + kHost + std::string(fields) + "\r\n" + std::string(body);
}

std::string chunked(std::string_view body) {
  return echo("Transfer-Encoding: chunked\r\n", body);
}

std::string many_fields(int count) {
  std::string fields;
  for (int i = 0; i < count; ++i) fields += "X-" + std::to_string(i) + ": y\r\n";
  return fields;
}

std::vector<Bad> bad_framing() {
  const std::string get_line = "GET / HTTP/1.1\r\n";
  const char* code = "bad_framing";
  return {
      {"length and encoding", echo("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), 400,
       code},
      {"encoding and length", echo("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), 400,
       code},
      {"two lengths", echo("Content-Length: 3\r\nContent-Length: 4\r\n"), 400, code},
      {"two equal lengths", echo("Content-Length: 3\r\nContent-Length: 3\r\n"), 400, code},
      {"a list of lengths", echo("Content-Length: 5,5\r\n"), 400, code},
      {"a signed length", echo("Content-Length: +5\r\n"), 400, code},
      {"a hexadecimal length", echo("Content-Length: 0x5\r\n"), 400, code},
      {"a negative length", echo("Content-Length: -1\r\n"), 400, code},
      {"an empty length", echo("Content-Length: \r\n"), 400, code},
      {"a length past 64 bits", echo("Content-Length: 99999999999999999999\r\n"), 400, code},
      {"identity after chunked", echo("Transfer-Encoding: chunked, identity\r\n"), 400, code},
      {"gzip before chunked", echo("Transfer-Encoding: gzip, chunked\r\n"), 400, code},
      {"two encodings", echo("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400,
       code},
      {"an unknown encoding", echo("Transfer-Encoding: xchunked\r\n"), 400, code},
      {"a tab before the value", echo("Transfer-Encoding:\tchunked\r\n"), 400, code},
      {"chunks in HTTP/1.0",
       "POST /echo HTTP/1.0\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n", 400, code},
      {"a bare line feed", "GET / HTTP/1.1\n" + kHost + "\r\n", 400, code},
      {"a bare line feed in the fields", get_line + "Host: localhost\n\r\n", 400, code},
      {"a bare carriage return", get_line + "X: a\rb\r\n" + kHost + "\r\n", 400, code},
      {"a folded field", get_line + kHost + "X: a\r\n b\r\n\r\n", 400, code},
      {"a blank before the first field", get_line + " X: a\r\n" + kHost + "\r\n", 400, code},
      {"a blank before the colon", get_line + "Host : localhost\r\n\r\n", 400, code},
      {"a field without a colon", get_line + kHost + "nothing\r\n\r\n", 400, code},
      {"a field without a name", get_line + kHost + ": x\r\n\r\n", 400, code},
      {"a NUL", get_line + kHost + std::string("X: a\0b\r\n\r\n", 10), 400, code},
      {"no version", "GET /\r\n\r\n", 400, code},
      {"junk for a version", "GET / HTTP/x.1\r\n\r\n", 400, code},
      {"two blanks", "GET  / HTTP/1.1\r\n" + kHost + "\r\n", 400, code},
      {"a blank in the target", "GET /a b HTTP/1.1\r\n" + kHost + "\r\n", 400, code},
      {"a TLS hello", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), 400, code},
      {"another version", "GET / HTTP/2.0\r\n" + kHost + "\r\n", 505, "http_version_not_supported"},
      {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505,
       "http_version_not_supported"},
      {"a negative chunk", chunked("-2\r\nab\r\n0\r\n\r\n"), 400, code},
      {"a chunk of 17 digits", chunked("00000000000000001\r\na\r\n0\r\n\r\n"), 400, code},
      {"a chunk without a size", chunked("\r\nab\r\n0\r\n\r\n"), 400, code},
      {"a chunk that is longer than it says", chunked("2\r\nabc\r\n0\r\n\r\n"), 400, code},
      {"a bare line feed after a size", chunked("2\nab\r\n0\r\n\r\n"), 400, code},
      {"a line feed in an extension", chunked("2;a\nb\r\nab\r\n0\r\n\r\n"), 400, code},
      {"an endless extension", chunked("2;" + std::string(100'000, 'x')), 400, code},
      {"endless trailers", chunked("0\r\n" + many_fields(1000)), 400, code},
  };
}

std::vector<Bad> other_refusals() {
  const std::string get_line = "GET / HTTP/1.1\r\n";
  return {
      {"no host", get_line + "\r\n", 400, "bad_host"},
      {"two hosts", get_line + kHost + kHost + "\r\n", 400, "bad_host"},
      {"a host with a path", get_line + "Host: a/b?c\r\n\r\n", 400, "bad_host"},
      {"a host with a user", get_line + "Host: a@b\r\n\r\n", 400, "bad_host"},
      {"a broken IPv6 host", get_line + "Host: [::1\r\n\r\n", 400, "bad_host"},
      {"a port that is none", get_line + "Host: a:b\r\n\r\n", 400, "bad_host"},
      {"another host in the target", "GET http://evil/ HTTP/1.1\r\n" + kHost + "\r\n", 400,
       "bad_host"},
      {"dots that climb", "GET /a/../b HTTP/1.1\r\n" + kHost + "\r\n", 400, "bad_target"},
      {"encoded dots", "GET /%2e%2e/b HTTP/1.1\r\n" + kHost + "\r\n", 400, "bad_target"},
      {"an encoded slash", "GET /a%2fb HTTP/1.1\r\n" + kHost + "\r\n", 400, "bad_target"},
      {"an encoded backslash", "GET /a%5Cb HTTP/1.1\r\n" + kHost + "\r\n", 400, "bad_target"},
      {"an encoded NUL", "GET /a%00 HTTP/1.1\r\n" + kHost + "\r\n", 400, "bad_target"},
      {"overlong UTF-8", "GET /%c0%ae%c0%ae/ HTTP/1.1\r\n" + kHost + "\r\n", 400, "bad_target"},
      {"half an escape", "GET /a%2 HTTP/1.1\r\n" + kHost + "\r\n", 400, "bad_target"},
      {"a relative target", "GET a HTTP/1.1\r\n" + kHost + "\r\n", 400, "bad_target"},
      {"a long target", "GET /" + std::string(9000, 'a') + " HTTP/1.1\r\n" + kHost + "\r\n", 414,
       "uri_too_long"},
      {"a target without an end", "GET /" + std::string(12'000, 'a'), 414, "uri_too_long"},
      {"large fields", get_line + kHost + "X: " + std::string(17'000, 'a') + "\r\n\r\n", 431,
       "headers_too_large"},
      {"many fields", get_line + kHost + many_fields(100) + "\r\n", 431, "headers_too_large"},
      {"a compressed body", echo("Content-Encoding: gzip\r\nContent-Length: 0\r\n"), 415,
       "unsupported_encoding"},
      {"a method in small letters", "get / HTTP/1.1\r\n" + kHost + "\r\n", 405,
       "method_not_allowed"},
      {"a method of its own", "BREW / HTTP/1.1\r\n" + kHost + "\r\n", 405, "method_not_allowed"},
      {"one for nothing", "BREW /nowhere HTTP/1.1\r\n" + kHost + "\r\n", 501, "not_implemented"},
      {"TRACE", "TRACE / HTTP/1.1\r\n" + kHost + "\r\n", 405, "method_not_allowed"},
      {"CONNECT", "CONNECT a:80 HTTP/1.1\r\n" + kHost + "\r\n", 405, "method_not_allowed"},
      {"two slashes", "GET // HTTP/1.1\r\n" + kHost + "\r\n", 404, "not_found"},
  };
}

TEST_F(FramingTest, WhatIsBrokenIsRefusedAndEndsTheConnection) {
  serve();
  for (const Bad& bad : bad_framing()) {
    SCOPED_TRACE(bad.what);
    Client client(server->port());
    client.send(bad.request + get("/"));  // must never be seen as a request
    const auto reply = client.reply();
    EXPECT_EQ(reply.status, bad.status);
    EXPECT_THAT(reply.body, HasSubstr(bad.code));
    EXPECT_TRUE(client.closes(5s));
    EXPECT_TRUE(client.received().empty());
  }
}

TEST_F(FramingTest, WhatIsNotServedIsRefused) {
  serve();
  for (const Bad& bad : other_refusals()) {
    SCOPED_TRACE(bad.what);
    Client client(server->port());
    client.send(bad.request);
    const auto reply = client.reply();
    EXPECT_EQ(reply.status, bad.status);
    EXPECT_THAT(reply.body, HasSubstr(bad.code));
  }
}

TEST_F(FramingTest, TakesWhatIsOddButClear) {
  serve();
  const std::vector<std::pair<std::string, std::string>> requests = {
      {"an empty line first", "\r\n" + get("/")},
      {"an absolute target", "GET http://localhost/ HTTP/1.1\r\n" + kHost + "\r\n"},
      {"an absolute target without a path", "GET HTTP://LOCALHOST HTTP/1.1\r\n" + kHost + "\r\n"},
      {"a query", get("/?a=%20+b&&c&d=")},
      {"HTTP/1.0 without a host", "GET / HTTP/1.0\r\n\r\n"},
      {"100 fields", "GET / HTTP/1.1\r\n" + kHost + many_fields(99) + "\r\n"},
      {"an IPv6 host", "GET / HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n"},
      {"other letters in a field", get("/", "X-Name: \xc3\xa4\r\n")},
      {"an empty field", get("/", "X-Name:\r\n")},
  };
  for (const auto& [what, request] : requests) {
    SCOPED_TRACE(what);
    EXPECT_EQ(Client(server->port()).ask(request).status, 200);
  }
  const auto chunks = Client(server->port()).ask(chunked("00003\r\nabc\r\nA \r\n"));
  EXPECT_EQ(chunks.status, 400);  // a blank after a size is legal nowhere
}

TEST_F(FramingTest, ARequestMayArriveInAnyTwoPieces) {
  serve();
  const std::string request = chunked("3\r\nabc\r\n10;x\r\n0123456789abcdef\r\n0\r\nT: v\r\n\r\n");
  Client client(server->port());
  for (std::size_t split = 1; split < request.size(); ++split) {
    client.send(request.substr(0, split));
    if (split % 8 == 0) ::usleep(1000);  // so that some splits are seen by the server too
    ASSERT_EQ(client.ask(request.substr(split)).body, "abc0123456789abcdef") << split;
  }
  for (const char c : request) client.send(std::string_view(&c, 1));
  EXPECT_EQ(client.reply().body, "abc0123456789abcdef");
}

TEST_F(FramingTest, AClientMayLeaveAtAnyByte) {
  serve();
  const std::string request = post("/echo", "0123456789");
  for (std::size_t end = 0; end <= request.size(); ++end) {
    Client closed(server->port());
    closed.send(request.substr(0, end));
    closed.close();
    Client reset(server->port());
    reset.send(request.substr(0, end));
    reset.reset();
    Client half(server->port());
    half.send(request.substr(0, end));
    half.end_sending();
    EXPECT_TRUE(half.closes()) << end;
  }
  EXPECT_TRUE(eventually([&] { return server->stats().connections_open == 0; }));
}

TEST_F(FramingTest, SeesAnEndThatCameWithTheLastBytes) {
  serve();
  const std::string request = post("/echo", "0123456789");
  for (const std::size_t cut : {1UL, 5UL, 15UL}) {
    Client client(server->port());
    ASSERT_TRUE(eventually([&] { return server->stats().connections_open == 1; }));
    ::usleep(20'000);  // until it is being read from
    Client other(server->port());
    other.send("GET /busy HTTP/1.1\r\n" + kHost + "\r\n");
    ::usleep(20'000);
    client.send(request.substr(0, request.size() - cut));
    client.end_sending();
    EXPECT_TRUE(client.closes(2s)) << cut;
    other.close();
    client.close();
    ASSERT_TRUE(eventually([&] { return server->stats().connections_open == 0; }));
  }
}

TEST_F(FramingTest, AnswersAClientThatOnlyEndedSending) {
  serve();
  Client client(server->port());
  client.send(post("/echo", "abc"));
  client.end_sending();
  EXPECT_EQ(client.reply().body, "abc");
  EXPECT_TRUE(client.closes());
}

TEST_F(FramingTest, SlowHeadsAndBodiesAreCut) {
  Limits limits;
  limits.header_timeout = limits.body_grace = 300ms;
  limits.idle_timeout = 300ms;
  serve(limits);
  Client head(server->port());
  Client body(server->port());
  Client stalled(server->port());
  Client idle(server->port());
  head.send("GET / HT");
  body.send("POST /echo HTTP/1.1\r\n" + kHost + "Content-Length: 10\r\n\r\n");
  stalled.send(chunked("5\r\nabc"));
  EXPECT_EQ(idle.ask(get("/")).status, 200);
  for (int i = 0; i < 5; ++i) {  // a byte now and then helps nobody
    head.send("x");
    body.send("x");
    ::usleep(100'000);
  }
  EXPECT_THAT(head.reply().body, HasSubstr("request_timeout"));
  EXPECT_THAT(body.reply().body, HasSubstr("upload_too_slow"));
  const auto reply = stalled.reply();
  EXPECT_EQ(reply.status, 408);
  EXPECT_THAT(reply.body, HasSubstr("upload_too_slow"));
  EXPECT_TRUE(idle.closes());
  EXPECT_TRUE(idle.received().empty());
}

TEST_F(FramingTest, AHonestSlowBodyMayTakeLong) {
  Limits limits;
  limits.body_grace = limits.body_window = 400ms;
  limits.body_bytes_per_s = 1000;
  serve(limits);
  Client client(server->port());
  const std::string piece(400, 'x');
  client.send("POST /echo HTTP/1.1\r\n" + kHost + "Content-Length: 4000\r\n\r\n");
  for (int i = 0; i < 10; ++i) {  // 1.5 s in all, 2,667 bytes/s
    client.send(piece);
    ::usleep(150'000);
  }
  EXPECT_EQ(client.reply().body.size(), 4000U);
}

TEST_F(FramingTest, RandomBytesNeverHoldAConnection) {
  serve();
  std::mt19937 random(7);
  for (int round = 0; round < 100; ++round) {
    std::string bytes(200, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    Client client(server->port());
    client.send(bytes);
    EXPECT_TRUE(client.closes(5s));
  }
}

TEST(ChunkDecoder, FindsTheSameContentWhereverItIsSplit) {
  const std::string wire = "1\r\na\r\nA;q=\"x\"\r\n0123456789\r\n0\r\nX: y\r\n\r\n";
  for (std::size_t step = 1; step <= wire.size(); ++step) {
    ChunkDecoder decoder;
    std::string content;
    for (std::size_t at = 0; at < wire.size(); at += step) {
      auto input = std::string_view(wire).substr(at, step);
      while (!input.empty() && !decoder.ended()) {
        const auto next = decoder.next(input);
        ASSERT_TRUE(next);
        const auto bytes = std::min<std::uint64_t>(*next, input.size());
        content.append(input.substr(0, bytes));
        input.remove_prefix(bytes);
        decoder.take(bytes);
      }
    }
    EXPECT_TRUE(decoder.ended());
    EXPECT_EQ(content, "a0123456789");
  }
}

}  // namespace
}  // namespace tru::http
