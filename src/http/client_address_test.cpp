#include "http/client_address.h"

#include <gmock/gmock.h>

#include <array>
#include <deque>

#include "http/test_server.h"

namespace tru::http {
namespace {

using namespace test;
using testing::HasSubstr;

std::vector<Network> networks(std::initializer_list<const char*> texts) {
  std::vector<Network> all;
  for (const char* text : texts) all.push_back(*Network::parse(text));
  return all;
}

// The client of a request from `peer` with these fields, where 10.0.0.0/8 and some more are
// trusted.
std::string client(const char* peer, std::initializer_list<const char*> fields) {
  std::string block = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (const char* field : fields) block += std::string("X-Forwarded-For: ") + field + "\r\n";
  const auto head = parse_head(block + "\r\n");
  EXPECT_TRUE(head);
  const auto trusted = networks({"10.0.0.0/8", "127.0.0.1", "::1", "fd00::/8"});
  return client_of(*head, *Address::parse(peer), trusted).text();
}

TEST(ClientAddress, OnlyATrustedProxyIsBelieved) {
  EXPECT_EQ(client("10.0.0.1", {"203.0.113.9"}), "203.0.113.9");
  EXPECT_EQ(client("10.0.0.1", {}), "10.0.0.1");
  EXPECT_EQ(client("192.0.2.1", {"203.0.113.9"}), "192.0.2.1");
  EXPECT_EQ(client("192.0.2.1", {"127.0.0.1"}), "192.0.2.1");
  EXPECT_EQ(client("192.0.2.1", {"203.0.113.9, 10.0.0.1"}), "192.0.2.1");
}

TEST(ClientAddress, IsTheLastThatNoTrustedProxyHas) {
  EXPECT_EQ(client("10.0.0.1", {"198.51.100.1, 203.0.113.9"}), "203.0.113.9");
  EXPECT_EQ(client("10.0.0.1", {"198.51.100.1,203.0.113.9 , 10.0.0.3,10.0.0.2"}), "203.0.113.9");
  EXPECT_EQ(client("10.0.0.1", {"198.51.100.1, 203.0.113.9", "10.0.0.2"}), "203.0.113.9");
  EXPECT_EQ(client("127.0.0.1", {"203.0.113.9, 127.0.0.1"}), "203.0.113.9");
  EXPECT_EQ(client("10.0.0.1", {"10.0.0.3, 10.0.0.2"}), "10.0.0.3");  // one of the house
  // What the client itself has written is not looked at, however it looks.
  EXPECT_EQ(client("10.0.0.1", {"127.0.0.1, 203.0.113.9"}), "203.0.113.9");
  EXPECT_EQ(client("10.0.0.1", {"10.0.0.9, 203.0.113.9"}), "203.0.113.9");
  EXPECT_EQ(client("10.0.0.1", {"<script>, ,, 203.0.113.9"}), "203.0.113.9");
}

TEST(ClientAddress, ReadsBothFamiliesAndPorts) {
  EXPECT_EQ(client("fd00::1", {"2001:db8::7"}), "2001:db8::7");
  EXPECT_EQ(client("10.0.0.1", {"[2001:db8::7]"}), "2001:db8::7");
  EXPECT_EQ(client("10.0.0.1", {"[2001:db8::7]:55"}), "2001:db8::7");
  EXPECT_EQ(client("10.0.0.1", {"203.0.113.9:65535"}), "203.0.113.9");
  EXPECT_EQ(client("::ffff:10.0.0.1", {"::ffff:203.0.113.9"}), "203.0.113.9");
  EXPECT_EQ(client("10.0.0.1", {"203.0.113.9, ::ffff:10.0.0.2"}), "203.0.113.9");
}

TEST(ClientAddress, GarbageIsThePeer) {
  for (const char* field : {"",
                            ",",
                            "unknown",
                            "_hidden",
                            "localhost",
                            "203.0.113",
                            "203.0.113.9,",
                            "203.0.113.9;x",
                            "0xcb.0.113.9",
                            "203.0.113.9 198.51.100.1",
                            "\"203.0.113.9\"",
                            "203.0.113.9:",
                            "[::7",
                            "203.0.113.9:x",
                            "203.0.113.9:123456",
                            "[203.0.113.9]",
                            "[2001:db8::7]x",
                            "2001:db8::7%1",
                            "[]",
                            "[2001:db8::7]:",
                            "2001:db8:::7",
                            "for=203.0.113.9",
                            "198.51.100.1, x, 10.0.0.2"}) {
    EXPECT_EQ(client("10.0.0.1", {field}), "10.0.0.1") << field;
  }
}

TEST(ClientAddress, NobodyBehindAProxyIsThisMachine) {
  for (const char* field : {"127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "[::1]:80",
                            "0.0.0.0", "::", "127.0.0.1, 10.0.0.2"}) {
    EXPECT_EQ(client("10.0.0.1", {field}), "10.0.0.1") << field;
  }
}

TEST(ClientPlaces, AreGivenBack) {
  ClientPlaces places(2);
  const auto take = [&](const char* text) { return places.take(*Address::parse(text)); };
  auto first = take("2001:db8::1");
  const auto second = take("2001:db8::2");  // the same client: its network
  EXPECT_TRUE(first && second);
  EXPECT_FALSE(take("2001:db8::3"));
  EXPECT_TRUE(take("2001:db8:0:1::1"));
  first.reset();
  EXPECT_TRUE(take("2001:db8::3"));
  EXPECT_FALSE(ClientPlaces(0).take(*Address::parse("192.0.2.1")));
}

Task<Response> get_client(int&, Exchange& exchange) {
  co_return Response(200, "text/plain",
                     exchange.client().text() + (exchange.proxied() ? " proxied" : ""));
}

constexpr std::array kRoutes{
    Route<int>{Verb::get, "/client", get_client},
    Route<int>{Verb::get, "/events", get_silent_events},
};

std::string from(const std::string& address, const char* path = "/client") {
  return "GET " + std::string(path) +
         " HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: " + address + "\r\n\r\n";
}

TEST(ClientAddress, ServesManyClientsBehindOneProxyAndLimitsEach) {
  int nothing = 0;
  Router router;
  router.add(nothing, kRoutes);
  ServerConfig config;
  config.limits.connections_per_address = 2;
  config.trusted_proxies = networks({"127.0.0.2"});
  const auto server = start(std::move(router), std::move(config));
  Client proxy(server->port(), "127.0.0.2");
  EXPECT_EQ(proxy.ask(from("203.0.113.9")).body, "203.0.113.9 proxied");
  EXPECT_EQ(proxy.ask(from("198.51.100.1")).body, "198.51.100.1 proxied");
  EXPECT_EQ(proxy.ask(from("127.0.0.1")).body, "127.0.0.2 proxied");
  EXPECT_EQ(Client(server->port()).ask(from("203.0.113.9")).body, "127.0.0.1");

  std::deque<Client> held;
  for (const char* address : {"203.0.113.9", "203.0.113.9", "127.0.0.1", "::1"}) {
    held.emplace_back(server->port(), "127.0.0.2");
    held.back().send(from(address, "/events"));
    EXPECT_TRUE(held.back().receive_until("\r\n\r\n")) << address;
  }
  EXPECT_EQ(proxy.ask(from("198.51.100.1")).status, 200);
  const auto reply = proxy.ask(from("203.0.113.9"));
  EXPECT_EQ(reply.status, 429);
  EXPECT_THAT(reply.body, HasSubstr("too_many_connections"));
  EXPECT_EQ(proxy.ask(from("127.0.0.1")).status, 429);  // not exempt: it is not loopback
  EXPECT_EQ(proxy.ask(from("198.51.100.1")).status, 200) << "the connection goes on";
  held.clear();
  EXPECT_TRUE(eventually([&] { return proxy.ask(from("203.0.113.9")).status == 200; }));
}

}  // namespace
}  // namespace tru::http
