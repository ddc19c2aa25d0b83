#include "base/address.h"

#include <gmock/gmock.h>

namespace tru {
namespace {

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

TEST(Address, TellsLoopbackFromOthers) {
  for (const char* text : {"127.0.0.1", "127.9.9.9", "::ffff:127.0.0.1", "::1"}) {
    EXPECT_TRUE(Address::parse(text)->is_loopback()) << text;
  }
  for (const char* text : {"128.0.0.1", "10.127.0.1", "::", "::127.0.0.1", "7f00::1"}) {
    EXPECT_FALSE(Address::parse(text)->is_loopback()) << text;
  }
  EXPECT_TRUE(Address::parse("::")->is_any());
  EXPECT_TRUE(Address::parse("0.0.0.0")->is_any());
  EXPECT_FALSE(Address::parse("0.0.0.1")->is_any());
}

TEST(Address, OtherSpellingsAreNone) {
  using std::string_view_literals::operator""sv;
  for (const std::string_view text :
       {""sv, " 1.2.3.4"sv, "1.2.3.4 "sv, "1.2.3"sv, "0x7f.0.0.1"sv, "1.2.3.256"sv, "1.2.3.4\0"sv,
        "fe80::1%lo"sv, "[::1]"sv, "::g"sv, "1.2.3.4:80"sv,
        "0000:0000:0000:0000:0000:0000:255.255.255.2551"sv}) {
    EXPECT_FALSE(Address::parse(text)) << text;
  }
}

TEST(Address, ANetworkKeepsTheFirstBits) {
  const auto network = [](const char* text, int bits) {
    return Address::parse(text)->network(bits).text();
  };
  EXPECT_EQ(network("203.0.113.255", 24), "203.0.113.0");
  EXPECT_EQ(network("203.0.113.255", 25), "203.0.113.128");
  EXPECT_EQ(network("203.0.113.255", 32), "203.0.113.255");
  EXPECT_EQ(network("2001:db8:1:2:3:4:5:6", 64), "2001:db8:1:2::");
  EXPECT_EQ(network("2001:db8:ffff::", 33), "2001:db8:8000::");
}

TEST(Network, ContainsItsAddressesOnly) {
  const auto contains = [](const char* network, const char* address) {
    return Network::parse(network)->contains(*Address::parse(address));
  };
  EXPECT_TRUE(contains("10.0.0.0/8", "10.255.1.2"));
  EXPECT_TRUE(contains("10.0.0.0/8", "::ffff:10.1.1.1"));
  EXPECT_FALSE(contains("10.0.0.0/8", "11.0.0.0"));
  EXPECT_TRUE(contains("10.0.0.4/30", "10.0.0.7"));
  EXPECT_FALSE(contains("10.0.0.4/30", "10.0.0.8"));
  EXPECT_TRUE(contains("192.0.2.1", "192.0.2.1"));
  EXPECT_FALSE(contains("192.0.2.1", "192.0.2.2"));
  EXPECT_TRUE(contains("2001:db8::/32", "2001:db8:ffff::1"));
  EXPECT_FALSE(contains("2001:db8::/32", "2001:db9::1"));
  EXPECT_FALSE(contains("::/1", "10.0.0.1"));  // however IPv4 is kept
}

TEST(Network, MeansOneThingOnly) {
  for (const char* text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/0", "::/0", "::/129",
                           "10.0.0.1/8", "10.0.0.0/8/8", "10.0.0.0/-8", "10.0.0.0/+8",
                           "10.0.0.0/ 8", "10/8", "2001:db8::1/64", "localhost", "nginx", "*"}) {
    EXPECT_FALSE(Network::parse(text)) << text;
  }
  EXPECT_EQ(Network::parse("2001:db8:0::/48")->text(), "2001:db8::/48");
  EXPECT_EQ(Network::parse("192.0.2.1/32")->text(), "192.0.2.1");
}

}  // namespace
}  // namespace tru
