#include "http/server.h"

#include <gmock/gmock.h>

#include <array>
#include <atomic>
#include <thread>

#include "http/test_server.h"

namespace tru::http {
namespace {

using namespace test;
using testing::HasSubstr;
using testing::StartsWith;

struct App {
  std::atomic<int> running{0};
  std::atomic<int> stopped{0};
  Wakeup wakeup;
};

Task<Response> get_health(App&, Exchange&) {
  co_return Response(200, "application/json", "{}");
}

Task<Response> get_item(App&, Exchange& exchange) {
  co_return Response(200, "text/plain",
                     exchange.param("id") + "|" + exchange.param("index") + "|" +
                         std::string(exchange.head().query("width").value_or("none")));
}

Task<Response> post_echo(App&, Exchange& exchange) {
  TRU_HTTP_TRY(std::string body, co_await exchange.read_body(1000));
  co_return Response(200, "text/plain", std::move(body));
}

Task<Response> post_ignore(App&, Exchange&) {
  co_return Response(200, "text/plain", "ignored");
}

Task<Response> get_throw(App&, Exchange&) {
  throw std::runtime_error("secret");
  co_return Response();
}

// Runs until its client leaves.
Task<Response> post_wait(App& app, Exchange& exchange) {
  TRU_HTTP_TRY(const std::string body, co_await exchange.read_body(1000));
  ++app.running;
  Wakeup never;
  co_await never.wait(60s, exchange.stop());
  ++app.stopped;
  co_return Response(200, "text/plain", "late");
}

Task<Response> get_events(App& app, Exchange& exchange) {
  EventStream events = co_await exchange.start_events();
  ++app.running;
  co_await events.send({"1", "first", "a\nb"});
  if (!co_await events.wait(app.wakeup)) {
    ++app.stopped;
    co_return EventStream::left();
  }
  co_await events.send({"2", "", "{}"});
  co_return co_await events.finish();
}

Task<Response> get_flood(App& app, Exchange& exchange) {
  EventStream events = co_await exchange.start_events();
  const std::string data(10'000, 'x');
  const Event event{"", "", data};
  while (co_await events.send(event)) ++app.running;
  ++app.stopped;
  co_return EventStream::left();
}

Task<Response> get_half(App&, Exchange& exchange) {
  EventStream events = co_await exchange.start_events();
  co_await events.send({"1", "", "half"});
  co_return refusal::not_found;
}

constexpr std::array kRoutes{
    Route<App>{Verb::get, "/health", get_health},
    Route<App>{Verb::get, "/items/{id}/frames/{index}.jpg", get_item, 7},
    Route<App>{Verb::post, "/echo", post_echo},
    Route<App>{Verb::post, "/ignore", post_ignore},
    Route<App>{Verb::get, "/throw", get_throw},
    Route<App>{Verb::post, "/wait", post_wait},
    Route<App>{Verb::get, "/events", get_events},
    Route<App>{Verb::get, "/flood", get_flood},
    Route<App>{Verb::get, "/half", get_half},
};

class ServerTest : public testing::Test {
 protected:
  void serve(ServerConfig config = {}) {
    Router router;
    router.add(app, kRoutes);
    server = start(std::move(router), std::move(config));
  }
  Client client() { return Client(server->port()); }

  App app;
  std::unique_ptr<Server> server;
};

TEST_F(ServerTest, AnswersOverOneConnection) {
  serve();
  Client client(server->port());
  for (int i = 0; i < 3; ++i) {
    const auto reply = client.ask(get("/health"));
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, "{}");
    EXPECT_EQ(reply.header("Content-Type"), "application/json");
    EXPECT_EQ(reply.header("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(reply.header("X-Request-ID").size(), 32U);
  }
  EXPECT_EQ(server->stats().connections, 1U);
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
  serve();
  Client client(server->port());
  std::string requests;
  for (int i = 0; i < 500; ++i) requests += post("/echo", std::to_string(i));
  std::thread sender([&] { client.send(requests); });
  for (int i = 0; i < 500; ++i) EXPECT_EQ(client.reply().body, std::to_string(i));
  sender.join();
}

TEST_F(ServerTest, GivesParametersAndQuery) {
  serve();
  EXPECT_EQ(client().ask(get("/items/a%20b/frames/12.jpg?x=1&width=64")).body, "a b|12|64");
  EXPECT_EQ(client().ask(get("/items/a/frames/.jpg")).status, 404);
}

TEST_F(ServerTest, AnswersHeadAndOptionsByItself) {
  serve();
  Client client(server->port());
  client.send("HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const auto head = client.reply(true);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("Content-Length"), "2");
  EXPECT_TRUE(client.received().empty());
  const auto options = client.ask("OPTIONS /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(options.status, 204);
  EXPECT_EQ(options.header("Allow"), "GET, HEAD, OPTIONS");
}

TEST_F(ServerTest, SaysWhatAPathTakes) {
  serve();
  const auto reply = client().ask(get("/echo"));
  EXPECT_EQ(reply.status, 405);
  EXPECT_EQ(reply.header("Allow"), "POST, OPTIONS");
  EXPECT_THAT(reply.body, HasSubstr("method_not_allowed"));
  EXPECT_EQ(client().ask(get("/nothing")).status, 404);
}

TEST_F(ServerTest, ReadsChunkedBodies) {
  serve();
  const std::string head =
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
  Client client(server->port());
  EXPECT_EQ(client.ask(head + "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: 1\r\n\r\n").body, "abcde");
  EXPECT_EQ(client.ask(get("/health")).status, 200);  // nothing of it was left over
}

TEST_F(ServerTest, RefusesBodiesOverTheLimit) {
  serve();
  EXPECT_EQ(client().ask(post("/echo", std::string(1001, 'x'))).status, 413);
  std::string chunked =
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 20; ++i) chunked += "40\r\n" + std::string(64, 'x') + "\r\n";
  EXPECT_EQ(client().ask(chunked).status, 413);
}

TEST_F(ServerTest, SendsContinueOnlyWhenTheBodyIsWanted) {
  serve();
  Client wanted(server->port());
  const std::string expect = "Host: localhost\r\nExpect: 100-continue\r\nContent-Length: ";
  wanted.send("POST /echo HTTP/1.1\r\n" + expect + "5\r\n\r\n");
  ASSERT_TRUE(wanted.receive_until("100 Continue\r\n\r\n"));
  EXPECT_EQ(wanted.ask("hello").body, "hello");

  Client unwanted(server->port());
  EXPECT_EQ(unwanted.ask("POST /echo HTTP/1.1\r\n" + expect + "5000\r\n\r\n").status, 413);
  EXPECT_TRUE(unwanted.closes());

  EXPECT_EQ(client().ask(get("/health", "Expect: tea\r\n")).status, 417);
}

TEST_F(ServerTest, KeepsTheConnectionAfterASmallBodyThatNobodyRead) {
  serve();
  Client client(server->port());
  EXPECT_EQ(client.ask(post("/ignore", "GET /health HTTP/1.1\r\n\r\n")).body, "ignored");
  EXPECT_EQ(client.ask(get("/health")).body, "{}");
}

TEST_F(ServerTest, TheClientReadsTheAnswerToABodyThatIsRefused) {
  serve();
  Client client(server->port());
  const std::string body(20'000'000, 'x');
  client.send(post("/echo", body));  // in the end nobody reads it
  EXPECT_EQ(client.reply().status, 413);
  EXPECT_TRUE(client.closes());
}

TEST_F(ServerTest, AFaultIsAnsweredWithoutItsWords) {
  ServerConfig config;
  std::string logged;
  config.log_fault = [&](std::string_view, std::string_view what) { logged = what; };
  serve(std::move(config));
  const auto reply = client().ask(get("/throw"));
  EXPECT_EQ(reply.status, 500);
  EXPECT_EQ(reply.body.find("secret"), std::string::npos);
  server->shutdown(1s);
  EXPECT_EQ(logged, "secret");
}

TEST_F(ServerTest, StopsTheHandlerOfAClientThatLeaves) {
  serve();
  for (const bool abruptly : {false, true}) {
    app.running = app.stopped = 0;
    Client client(server->port());
    client.send(post("/wait", "x"));
    ASSERT_TRUE(eventually([&] { return app.running == 1; }));
    abruptly ? client.reset() : client.close();
    EXPECT_TRUE(eventually([&] { return app.stopped == 1; }, 1s));
  }
}

TEST_F(ServerTest, KeepsWhatWasSentAheadOfAnAnswer) {
  serve();
  Client client(server->port());
  client.send(get("/events") + get("/health"));
  ASSERT_TRUE(eventually([&] { return app.running == 1; }));
  ::usleep(600'000);  // long enough for a look at the client
  app.wakeup.notify();
  EXPECT_THAT(client.reply().body, HasSubstr("id: 2"));
  EXPECT_EQ(client.reply().body, "{}");
  EXPECT_EQ(app.stopped, 0);
}

TEST_F(ServerTest, StreamsEventsUntilTheyEnd) {
  serve();
  Client client(server->port());
  client.send(get("/events"));
  ASSERT_TRUE(client.receive_until("data: b\n\n"));
  app.wakeup.notify();
  const auto reply = client.reply();
  EXPECT_EQ(reply.header("Content-Type"), "text/event-stream; charset=utf-8");
  EXPECT_EQ(reply.header("X-Accel-Buffering"), "no");
  EXPECT_EQ(reply.body, "id: 1\nevent: first\ndata: a\ndata: b\n\nid: 2\ndata: {}\n\n");
  EXPECT_EQ(client.ask(get("/health")).status, 200);
}

TEST_F(ServerTest, StreamsToOldClientsUntilTheConnectionEnds) {
  serve();
  Client client(server->port());
  client.send("GET /events HTTP/1.0\r\n\r\n");
  ASSERT_TRUE(client.receive_until("data: b\n\n"));
  app.wakeup.notify();
  while (client.receive()) {
  }
  EXPECT_EQ(client.received().find("chunked"), std::string::npos);
  EXPECT_THAT(client.received(), testing::EndsWith("id: 2\ndata: {}\n\n"));
}

TEST_F(ServerTest, CutsAStreamThatItsHandlerDoesNotFinish) {
  serve();
  Client client(server->port());
  client.send(get("/half"));
  while (client.receive()) {
  }
  EXPECT_THAT(client.received(), testing::EndsWith("data: half\n\n\r\n"));
}

TEST_F(ServerTest, BeatsWhileNothingHappens) {
  ServerConfig config;
  config.limits.heartbeat = 50ms;
  serve(std::move(config));
  Client client(server->port());
  client.send(get("/events"));
  EXPECT_TRUE(client.receive_until(": alive\n\n"));
}

TEST_F(ServerTest, CutsAStreamThatNobodyReads) {
  ServerConfig config;
  config.limits.write_timeout = 500ms;
  serve(std::move(config));
  Client client(server->port(), nullptr, 4096);
  client.send(get("/flood"));
  EXPECT_TRUE(eventually([&] { return app.stopped == 1; }));
}

TEST_F(ServerTest, ShutsDownAtOnceWhenIdle) {
  serve();
  Client client(server->port());
  client.ask(get("/health"));
  const auto start = std::chrono::steady_clock::now();
  server->shutdown(30s);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
  EXPECT_TRUE(client.closes());
  EXPECT_FALSE(Client(server->port()).connected());
}

TEST_F(ServerTest, LetsRequestsEndWithinTheGraceOfAShutdown) {
  serve();
  Client client(server->port());
  client.send(get("/events"));
  ASSERT_TRUE(client.receive_until("data: b\n\n"));
  std::thread shutdown([&] { server->shutdown(30s); });
  ::usleep(100'000);
  app.wakeup.notify();
  EXPECT_THAT(client.reply().body, HasSubstr("id: 2"));
  EXPECT_TRUE(client.closes());
  shutdown.join();
}

TEST_F(ServerTest, StopsRequestsWhenTheGraceIsOver) {
  serve();
  Client client(server->port());
  client.send(post("/wait", "x"));
  ASSERT_TRUE(eventually([&] { return app.running == 1; }));
  server->shutdown(100ms);
  EXPECT_EQ(app.stopped, 1);
  EXPECT_EQ(client.reply().body, "late");
}

TEST_F(ServerTest, SaysThatThePortIsTaken) {
  serve();
  ServerConfig config;
  config.port = server->port();
  const auto second = Server::start(std::move(config), Router());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::config_invalid);
  EXPECT_THAT(second.error().message, HasSubstr("in use"));
}

}  // namespace
}  // namespace tru::http
