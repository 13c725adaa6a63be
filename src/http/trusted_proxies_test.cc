#include "http/trusted_proxies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace towline::http {
namespace {

using ::testing::HasSubstr;

TrustedProxies proxies() { return TrustedProxies::parse({"10.0.0.0/8", "192.0.2.7", "fd00::/8"}).value(); }

std::optional<std::string> client_of(std::string_view peer, std::string_view forwarded) {
  return proxies().client_of(peer, {{"x-forwarded-for", forwarded}});
}

TEST(TrustedProxies, TheirWordCountsAndNobodyElses) {
  EXPECT_EQ(client_of("10.1.2.3:4711", "203.0.113.9"), "203.0.113.9");
  EXPECT_EQ(client_of("192.0.2.7:4711", "203.0.113.9"), "203.0.113.9");
  EXPECT_EQ(client_of("[fd00::1]:4711", "203.0.113.9"), "203.0.113.9");
  EXPECT_EQ(client_of("192.0.2.8:4711", "203.0.113.9"), std::nullopt);
  EXPECT_EQ(client_of("11.1.2.3:4711", "203.0.113.9"), std::nullopt);
  EXPECT_EQ(TrustedProxies().client_of("10.1.2.3:4711", {{"x-forwarded-for", "203.0.113.9"}}), std::nullopt);
}

TEST(TrustedProxies, AnIPv4PeerOnAnIPv6SocketIsTheSame) {
  EXPECT_EQ(client_of("[::ffff:10.1.2.3]:4711", "203.0.113.9"), "203.0.113.9");
}

TEST(TrustedProxies, WhatAClientInventsDoesNotCount) {
  EXPECT_EQ(client_of("10.1.2.3:4711", "10.9.9.9, 198.51.100.1, 203.0.113.9"), "203.0.113.9");
}

TEST(TrustedProxies, SeveralProxiesMayStandInARow) {
  EXPECT_EQ(client_of("10.1.2.3:4711", "198.51.100.1, 203.0.113.9, 10.7.7.7, 192.0.2.7"), "203.0.113.9");
  const Headers lines{
      {"x-forwarded-for", "198.51.100.1, 203.0.113.9"}, {"accept", "*/*"}, {"x-forwarded-for", "10.7.7.7"}};
  EXPECT_EQ(proxies().client_of("10.1.2.3:4711", lines), "203.0.113.9");
}

TEST(TrustedProxies, AClientInsideATrustedNetworkIsTheFirstThatIsNamed) {
  EXPECT_EQ(client_of("10.1.2.3:4711", "10.8.8.8, 10.7.7.7"), "10.8.8.8");
}

TEST(TrustedProxies, PortsAndNotationsDoNotMakeAnotherClient) {
  for (const std::string_view same :
       {"2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:443", " 2001:DB8:0::1 ", "x,2001:db8::1"}) {
    EXPECT_EQ(client_of("10.1.2.3:4711", same), "[2001:db8::1]") << same;
  }
  for (const std::string_view same : {"203.0.113.9:80", "\t203.0.113.9", "::ffff:203.0.113.9"}) {
    EXPECT_EQ(client_of("10.1.2.3:4711", same), "203.0.113.9") << same;
  }
}

TEST(TrustedProxies, WhatIsNoAddressEndsTheList) {
  for (const std::string_view wrong :
       {"", "unknown", "_hidden", "203.0.113.9,", "203.0.113", "[::1", "[", "]", ":", "fe80::1%eth0"}) {
    EXPECT_EQ(client_of("10.1.2.3:4711", wrong), std::nullopt) << wrong;
  }
  EXPECT_EQ(client_of("10.1.2.3:4711", "203.0.113.9, unknown, 10.7.7.7"), "10.7.7.7");
  EXPECT_EQ(proxies().client_of("10.1.2.3:4711", {}), std::nullopt);
  EXPECT_EQ(client_of("", "203.0.113.9"), std::nullopt);
}

TEST(TrustedProxies, AnEntryThatIsNoNetworkIsNamed) {
  for (const char* wrong : {"ingress.example.com", "10.0.0.0/33", "", "10.0.0.0/8,10.1.1.1", "*"}) {
    const auto parsed = TrustedProxies::parse({"10.0.0.0/8", wrong});
    ASSERT_FALSE(parsed.has_value()) << wrong;
    EXPECT_THAT(parsed.error().message(), HasSubstr("\"" + std::string(wrong) + "\""));
  }
}

}  // namespace
}  // namespace towline::http
