// Many clients at once.
#include <gmock/gmock.h>
#include <ifaddrs.h>
#include <sys/resource.h>

#include <array>
#include <deque>

#include "http/test_server.h"

namespace tru::http {
namespace {

using namespace test;
using testing::HasSubstr;

Task<Response> get_health(int&, Exchange&) {
  co_return Response(200, "application/json", "{}");
}

constexpr std::array kRoutes{
    Route<int>{Verb::get, "/health", get_health},
    Route<int>{Verb::get, "/events", get_silent_events},
};

class LimitsTest : public testing::Test {
 protected:
  void serve(ServerConfig config) {
    Router router;
    router.add(nothing, kRoutes);
    server = start(std::move(router), std::move(config));
  }
  bool all_accepted(std::size_t count) {
    return eventually([&] { return server->stats().connections_open == count; });
  }

  int nothing = 0;
  std::unique_ptr<Server> server;
};

TEST_F(LimitsTest, IdleConnectionsMakeRoomForNewOnes) {
  ServerConfig config;
  config.limits.connections = 10;
  serve(std::move(config));
  std::deque<Client> clients;
  for (int i = 0; i < 30; ++i) {
    clients.emplace_back(server->port());
    EXPECT_EQ(clients.back().ask(get("/health")).status, 200) << i;
  }
  EXPECT_TRUE(clients.front().closes());
  EXPECT_EQ(clients.back().ask(get("/health")).status, 200);
  EXPECT_EQ(server->stats().connections_refused, 0U);
}

TEST_F(LimitsTest, SaysThatItIsFullWhenAllAreBusy) {
  ServerConfig config;
  config.limits.connections = 10;
  serve(std::move(config));
  std::deque<Client> busy;
  for (int i = 0; i < 10; ++i) {
    busy.emplace_back(server->port());
    busy.back().send(get("/events"));
    EXPECT_TRUE(busy.back().receive_until("\r\n\r\n"));
  }
  Client late(server->port());
  const auto reply = late.ask(get("/health"));
  EXPECT_EQ(reply.status, 503);
  EXPECT_THAT(reply.body, HasSubstr("overloaded"));
  EXPECT_NE(reply.header("Retry-After"), "");
  EXPECT_TRUE(late.closes());
  busy.pop_front();
  EXPECT_TRUE(eventually([&] { return Client(server->port()).ask(get("/health")).status == 200; }));
}

// An address of this machine that is not loopback's; empty when it has none.
std::string other_address() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return {};
  std::string found;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != AF_INET) continue;
    char text[INET_ADDRSTRLEN] = "";
    const auto* address = reinterpret_cast<const sockaddr_in*>(entry->ifa_addr);
    ::inet_ntop(AF_INET, &address->sin_addr, text, sizeof text);
    if (!std::string_view(text).starts_with("127.")) found = text;
  }
  ::freeifaddrs(list);
  return found;
}

TEST_F(LimitsTest, OneAddressHoldsOnlySoMany) {
  const std::string address = other_address();
  if (address.empty()) GTEST_SKIP() << "this machine has loopback only";
  ServerConfig config;
  config.host = "0.0.0.0";
  config.limits.connections_per_address = 3;
  serve(std::move(config));
  std::deque<Client> clients;
  for (int i = 0; i < 3; ++i) clients.emplace_back(server->port(), address.c_str());
  ASSERT_TRUE(all_accepted(3));
  const auto reply = Client(server->port(), address.c_str()).ask(get("/health"));
  EXPECT_EQ(reply.status, 429);
  EXPECT_THAT(reply.body, HasSubstr("too_many_connections"));
  EXPECT_EQ(Client(server->port()).ask(get("/health")).status, 200);  // loopback has no such limit
  clients.pop_back();
  EXPECT_TRUE(eventually(
      [&] { return Client(server->port(), address.c_str()).ask(get("/health")).status == 200; }));
}

TEST_F(LimitsTest, AThousandSlowClientsHoldNobodyUp) {
  serve({});
  std::deque<Client> slow;
  for (int i = 0; i < 1000; ++i) {
    const auto from = "127.0.0." + std::to_string(2 + i % 10);
    slow.emplace_back(server->port(), from.c_str());
    ASSERT_TRUE(slow.back().connected());
    if (i % 2 == 0) slow.back().send("GET /hea");
  }
  ASSERT_TRUE(all_accepted(1000));
  Client client(server->port());
  for (int i = 0; i < 100; ++i) ASSERT_EQ(client.ask(get("/health")).status, 200);
}

TEST_F(LimitsTest, GoesOnWhenNoDescriptorsAreLeft) {
  serve({});
  rlimit old{};
  ::getrlimit(RLIMIT_NOFILE, &old);
  std::deque<Client> clients;
  for (int i = 0; i < 10; ++i) clients.emplace_back(server->port());
  ASSERT_TRUE(all_accepted(10));
  clients.pop_back();
  ASSERT_TRUE(all_accepted(9));
  const int filler = ::dup(0);  // the lower of two free descriptors, with `end` the other
  const int end = ::dup(0);
  ::close(end);
  const rlimit none{static_cast<rlim_t>(end) + 1, old.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none);
  Client late(server->port());  // takes the last one
  ASSERT_TRUE(late.connected());
  late.send(get("/health"));
  ::usleep(300'000);
  EXPECT_EQ(server->stats().connections, 10U);
  EXPECT_EQ(clients.front().ask(get("/health")).status, 200);
  ::close(filler);
  EXPECT_EQ(late.reply().status, 200);
  ::setrlimit(RLIMIT_NOFILE, &old);
}

}  // namespace
}  // namespace tru::http
