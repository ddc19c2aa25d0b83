#include "http/guards.h"

#include <gmock/gmock.h>

#include <array>

#include "http/test_server.h"

namespace tru::http {
namespace {

using namespace test;
using testing::HasSubstr;

constexpr unsigned kOpen = 1;

Task<Response> answer(int& calls, Exchange&) {
  ++calls;
  co_return Response(200, "text/plain", "done");
}

constexpr std::array kRoutes{
    Route<int>{Verb::get, "/open", answer, kOpen},
    Route<int>{Verb::get, "/closed", answer},
    Route<int>{Verb::post, "/closed", answer},
};

class GuardsTest : public testing::Test {
 protected:
  GuardsTest() {
    Router router;
    router.add(calls, kRoutes);
    ServerConfig config;
    const std::vector<std::string> origins{"http://localhost:3000", "http://web:3000"};
    config.cors = Cors(origins);
    config.guards = {host_guard({"tru.example"}), origin_guard(origins), key_guard};
    config.log_access = [this](const AccessRecord& record) {
      log.push_back({std::string(record.method), std::string(record.route),
                     std::string(record.request_id), std::string(record.code), record.status});
    };
    server = start(std::move(router), std::move(config));
  }

  static std::optional<Problem> key_guard(Exchange& exchange) {
    exchange.response_headers().set("X-Checked", "yes");
    if ((exchange.route_flags() & kOpen) != 0) return std::nullopt;
    if (exchange.head().count("X-API-Key") == 1 && exchange.head().header("X-API-Key") == "k") {
      return std::nullopt;
    }
    return Problem(Refusal{401, "unauthorized", "a key is needed"});
  }

  Reply ask(std::string_view request) { return Client(server->port()).ask(request); }
  Reply with(std::string_view method, std::string_view fields) {
    return ask(std::string(method) + " /closed HTTP/1.1\r\nX-API-Key: k\r\n" + std::string(fields) +
               "\r\n");
  }

  struct Logged {
    std::string method, route, id, code;
    int status;
  };
  int calls = 0;
  std::vector<Logged> log;
  std::unique_ptr<Server> server;
};

TEST_F(GuardsTest, TakesNamesThatCannotBeRebound) {
  for (const char* host : {"localhost", "LOCALHOST:8000", "localhost.", "127.0.0.1:80", "10.1.2.3",
                           "[::1]:8000", "tru.example", "TRU.example:1"}) {
    EXPECT_EQ(with("GET", "Host: " + std::string(host) + "\r\n").status, 200) << host;
  }
  for (const char* host : {"evil.com", "localhost.evil.com", "127.0.0.1.evil.com", "x.tru.example",
                           "2130706433", "127.1"}) {
    const auto reply = with("GET", "Host: " + std::string(host) + "\r\n");
    EXPECT_EQ(reply.status, 403) << host;
    EXPECT_THAT(reply.body, HasSubstr("host_not_allowed"));
  }
}

TEST_F(GuardsTest, LetsNoOtherSitePost) {
  const std::string host = "Host: localhost:8000\r\n";
  for (const char* fields :
       {"", "Origin: http://localhost:8000\r\n", "Origin: https://localhost:8000\r\n",
        "Origin: http://localhost:3000\r\n", "Origin: http://web:3000\r\n",
        "Sec-Fetch-Site: same-origin\r\n", "Sec-Fetch-Site: none\r\n"}) {
    EXPECT_EQ(with("POST", host + fields).status, 200) << fields;
  }
  const int before = calls;
  for (const char* fields :
       {"Origin: http://evil.com\r\n", "Origin: null\r\n", "Origin: \r\n",
        "Origin: http://localhost\r\n", "Origin: http://localhost:3000.evil\r\n",
        "Origin: https://localhost:3000\r\n", "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n", "Origin: http://localhost:8000@evil.com\r\n"}) {
    const auto reply = with("POST", host + fields);
    EXPECT_EQ(reply.status, 403) << fields;
    EXPECT_THAT(reply.body, HasSubstr("origin_not_allowed"));
  }
  EXPECT_EQ(calls, before);
}

TEST_F(GuardsTest, SharesAnswersWithExactOriginsOnly) {
  const auto shared = with("GET", "Host: localhost\r\nOrigin: http://localhost:3000\r\n");
  EXPECT_EQ(shared.header("Access-Control-Allow-Origin"), "http://localhost:3000");
  EXPECT_THAT(shared.header("Access-Control-Expose-Headers"), HasSubstr("X-Request-ID"));
  for (const char* origin :
       {"null", "http://evil", "http://localhost.evil.com", "http://localhost:3000.evil",
        "https://localhost:3000", "http://localhost:3001"}) {
    const auto reply = with("GET", "Host: localhost\r\nOrigin: " + std::string(origin) + "\r\n");
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.header("Access-Control-Allow-Origin"), "") << origin;
    EXPECT_EQ(reply.header("Vary"), "Origin");
  }
}

TEST_F(GuardsTest, AnswersPreflightsWithoutAKey) {
  const std::string request =
      "OPTIONS /closed HTTP/1.1\r\nHost: localhost\r\nAccess-Control-Request-Method: POST\r\n"
      "Access-Control-Request-Headers: x-api-key, content-type\r\nOrigin: ";
  const auto allowed = ask(request + "http://localhost:3000\r\n\r\n");
  EXPECT_EQ(allowed.status, 204);
  EXPECT_EQ(allowed.header("Access-Control-Allow-Origin"), "http://localhost:3000");
  EXPECT_THAT(allowed.header("Access-Control-Allow-Methods"), HasSubstr("POST"));
  EXPECT_EQ(allowed.header("Access-Control-Allow-Headers"), "x-api-key, content-type");
  const auto refused = ask(request + "http://evil\r\n\r\n");
  EXPECT_EQ(refused.header("Access-Control-Allow-Origin"), "");
  EXPECT_EQ(refused.header("Access-Control-Allow-Methods"), "");
  EXPECT_EQ(calls, 0);
}

TEST_F(GuardsTest, NoSpellingOfAPathGetsAroundAKey) {
  for (const char* path :
       {"/closed", "/closed/", "//closed", "/open/../closed", "/open%2f../closed", "/%63losed",
        "/closed?x=/open", "/open/closed", "/CLOSED", "/closed%00", "/nothing", "/closed;x"}) {
    for (const char* method : {"GET", "HEAD", "OPTIONS", "POST", "DELETE"}) {
      Client client(server->port());
      client.send(std::string(method) + " " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
      const auto reply = client.reply(std::string_view(method) == "HEAD");
      EXPECT_TRUE(reply.status == 401 || reply.status == 400) << method << path << reply.status;
    }
  }
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(ask(get("/open")).status, 200);
  EXPECT_EQ(ask(get("/closed", "X-API-Key: k\r\nX-API-Key: k\r\n")).status, 401);
  EXPECT_EQ(ask(get("/%63losed/", "X-API-Key: k\r\n")).status, 200);
}

TEST_F(GuardsTest, FieldsOfAGuardReachEveryAnswer) {
  EXPECT_EQ(ask(get("/closed")).header("X-Checked"), "yes");
  EXPECT_EQ(ask(get("/open")).header("X-Checked"), "yes");
}

TEST_F(GuardsTest, TakesSaneRequestIdsAndLogsThem) {
  EXPECT_EQ(ask(get("/open", "X-Request-ID: My-id_1.2\r\n")).header("X-Request-ID"), "My-id_1.2");
  for (const char* id : {"a b", "a\"b", "", "\xc3\xa4"}) {
    const auto reply = ask(get("/open", "X-Request-ID: " + std::string(id) + "\r\n"));
    EXPECT_EQ(reply.header("X-Request-ID").size(), 32U) << id;
  }
  const auto reply = ask(get("/closed"));
  EXPECT_THAT(reply.body, HasSubstr(reply.header("X-Request-ID")));
  ask("GET / HTTP/1.1\r\n\r\n");
  server->shutdown(1s);
  ASSERT_EQ(log.size(), 7U);
  EXPECT_EQ(log[0].id, "My-id_1.2");
  EXPECT_EQ(log[0].route, "/open");
  EXPECT_EQ(log[0].status, 200);
  EXPECT_EQ(log[5].method, "GET");
  EXPECT_EQ(log[5].code, "unauthorized");
  EXPECT_EQ(log[5].status, 401);
  EXPECT_EQ(log[6].code, "bad_host");
}

}  // namespace
}  // namespace tru::http
