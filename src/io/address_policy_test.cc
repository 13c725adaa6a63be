#include "io/address_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace towline::io {
namespace {

using ::testing::HasSubstr;

AddressPolicy allowing(const std::vector<std::string>& entries) {
  auto policy = AddressPolicy::parse(entries);
  EXPECT_TRUE(policy.has_value()) << policy.error().message();
  return policy.value_or(AddressPolicy());
}

Status judge(const std::string& host, const std::vector<std::string>& allowed = {}) {
  return allowing(allowed).check_host(host, 443);
}

struct Refused {
  const char* host;
  const char* what;
};
class RefusedTest : public ::testing::TestWithParam<Refused> {};
// An error tells what the address is and which entry allows it; that entry does.
TEST_P(RefusedTest, IsNotDialledUnlessAllowed) {
  const Refused& c = GetParam();
  const Status status = judge(c.host);
  EXPECT_EQ(status.code(), Code::kPermissionDenied) << c.host;
  EXPECT_THAT(status.message(), HasSubstr(c.what));
  const std::string advice = "; it is dialled only with --outbound-allow ";
  const auto at = status.message().find(advice);
  ASSERT_NE(at, std::string::npos) << status.message();
  const std::string entry = status.message().substr(at + advice.size());
  EXPECT_THAT(entry, HasSubstr(":443"));
  EXPECT_EQ(judge(c.host, {entry}), Status()) << entry;
}
INSTANTIATE_TEST_SUITE_P(
    IPv4, RefusedTest,
    ::testing::Values(
        Refused{"0.0.0.0", "0.0.0.0 is the unspecified address"}, Refused{"0.1.2.3", "a reserved address"},
        Refused{"10.0.0.1", "10.0.0.1 is a private address"}, Refused{"10.255.255.255", "a private address"},
        Refused{"100.64.0.1", "carrier-grade NAT"}, Refused{"100.100.100.200", "carrier-grade NAT"},
        Refused{"100.127.255.255", "carrier-grade NAT"}, Refused{"127.0.0.1", "a loopback address"},
        Refused{"127.255.255.254", "a loopback address"}, Refused{"168.63.129.16", "Azure's host services"},
        Refused{"169.254.169.254", "169.254.169.254 is a link-local address"},
        Refused{"172.16.0.1", "a private address"}, Refused{"172.31.255.255", "a private address"},
        Refused{"192.0.0.192", "a reserved address"}, Refused{"192.0.2.1", "a documentation address"},
        Refused{"192.88.99.1", "a special-purpose address"}, Refused{"192.168.1.1", "a private address"},
        Refused{"198.18.0.1", "a benchmarking address"}, Refused{"198.19.255.255", "a benchmarking address"},
        Refused{"198.51.100.1", "a documentation address"}, Refused{"203.0.113.1", "a documentation address"},
        Refused{"224.0.0.1", "a multicast address"}, Refused{"239.255.255.255", "a multicast address"},
        Refused{"240.0.0.1", "a reserved address"}, Refused{"255.255.255.255", "the broadcast address"}));
INSTANTIATE_TEST_SUITE_P(
    IPv6, RefusedTest,
    ::testing::Values(Refused{"::", "the unspecified address"}, Refused{"::1", "a loopback address"},
                      Refused{"100::1", "a reserved address"}, Refused{"64:ff9b:1::1", "a reserved address"},
                      Refused{"2001:2::1", "a benchmarking address"},
                      Refused{"2001:10::1", "a special-purpose address"},
                      Refused{"2001:db8::1", "a documentation address"},
                      Refused{"3fff:fff:ffff::1", "a documentation address"},
                      Refused{"4000::1", "a reserved address"}, Refused{"5f00::1", "a reserved address"},
                      Refused{"fc00::1", "a unique local address"},
                      Refused{"fd00:ec2::254", "fd00:ec2::254 is a unique local address"},
                      Refused{"fe80::1", "a link-local address"}, Refused{"fe80::1%lo", "fe80::1 is"},
                      Refused{"febf::1", "a link-local address"}, Refused{"fec0::1", "a site-local address"},
                      Refused{"ff02::1", "a multicast address"}));
INSTANTIATE_TEST_SUITE_P(
    IPv4InIPv6, RefusedTest,
    ::testing::Values(Refused{"::ffff:10.0.0.1", "10.0.0.1 is a private address"},
                      Refused{"::ffff:7f00:1", "127.0.0.1 is a loopback address"},
                      Refused{"::ffff:169.254.169.254", "a link-local address"},
                      Refused{"::10.0.0.1", "an IPv4-compatible address"},
                      Refused{"::8.8.8.8", "an IPv4-compatible address"},
                      Refused{"::ffff:0:10.0.0.1", "a reserved address"},
                      Refused{"64:ff9b::a9fe:a9fe",
                              "64:ff9b::a9fe:a9fe carries 169.254.169.254, which is a link-local address"},
                      Refused{"64:ff9b::10.0.0.1", "carries 10.0.0.1, which is a private address"},
                      Refused{"64:ff9b:1::10.0.0.1", "a reserved address"},
                      Refused{"2002:0a00:1::1", "a 6to4 address"},
                      Refused{"2002:0808:0808::1", "a 6to4 address"},
                      Refused{"2001:0:4136:e378:8000:63bf:3fff:fdd2", "a Teredo address"},
                      Refused{"2a00:1450::5efe:10.0.0.1", "carries 10.0.0.1, which is a private address"},
                      Refused{"2a00:1450::200:5efe:10.0.0.1", "carries 10.0.0.1"},
                      Refused{"fe80::5efe:8.8.8.8", "a link-local address"}));
INSTANTIATE_TEST_SUITE_P(
    OtherNotations, RefusedTest,
    ::testing::Values(Refused{"127.1", "127.0.0.1 is"}, Refused{"2130706433", "127.0.0.1 is"},
                      Refused{"0x7f.1", "127.0.0.1 is"}, Refused{"0177.0.0.1", "127.0.0.1 is"},
                      Refused{"0xa9fea9fe", "169.254.169.254 is"}, Refused{"0", "0.0.0.0 is"},
                      Refused{"127.0.0.1.", "127.0.0.1 is"}, Refused{"0:0:0:0:0:0:0:1", "::1 is"}));
INSTANTIATE_TEST_SUITE_P(ThisMachine, RefusedTest,
                         ::testing::Values(Refused{"localhost", "localhost is a name of this machine"},
                                           Refused{"LocalHost", "localhost is"},
                                           Refused{"localhost.", "localhost is"},
                                           Refused{"kas.localhost", "kas.localhost is"}));

TEST(AddressPolicyTest, PublicAddressesAndNamesPass) {
  for (const char* host : {"8.8.8.8",
                           "1.1.1.1",
                           "9.255.255.255",
                           "11.0.0.0",
                           "100.63.255.255",
                           "100.128.0.0",
                           "172.15.255.255",
                           "172.32.0.0",
                           "192.0.1.0",
                           "198.17.255.255",
                           "198.20.0.0",
                           "223.255.255.255",
                           "2606:4700::1111",
                           "2a00:1450::1",
                           "::ffff:8.8.8.8",
                           "64:ff9b::8.8.8.8",
                           "2a00:1450::5efe:8.8.8.8",
                           "agent.example.com",
                           "agent",
                           "a_b.example.",
                           "localhost.example.com",
                           "xn--bcher-kva.example",
                           "10.example.com",
                           "0x.example"}) {
    EXPECT_EQ(judge(host), Status()) << host;
  }
}

// What another program might take for an address is neither that nor a name.
TEST(AddressPolicyTest, WhatIsNeitherAddressNorNameIsRefused) {
  const std::string nul("8.8.8.8\0.example.com", 20);
  for (const std::string& host :
       {std::string(), std::string("."), std::string("a..b"), std::string("256.0.0.1"),
        std::string("1.2.3.4.5"), std::string("example.123"), std::string("example.0x7f"), std::string("0x"),
        std::string("a b"), std::string("a\r\nHost: b"),
        std::string("b\xc3\xbc"
                    "cher.example"),
        std::string("fe80::1%nosuchlink"), std::string("[::1]"), std::string(64, 'a'), std::string(254, 'a'),
        std::string("127.0.0.1.."), nul}) {
    const Status status = judge(host);
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << host;
    EXPECT_THAT(status.message(), HasSubstr("neither an IP address nor a name"));
  }
}

struct Allowed {
  const char* entry;
  const char* host;
  std::uint16_t port;
  bool allowed;
};
class AllowListTest : public ::testing::TestWithParam<Allowed> {};
TEST_P(AllowListTest, IsObeyed) {
  const Allowed& c = GetParam();
  EXPECT_EQ(allowing({"192.0.2.77", c.entry}).check_host(c.host, c.port).ok(), c.allowed);
}
INSTANTIATE_TEST_SUITE_P(
    Addresses, AllowListTest,
    ::testing::Values(
        Allowed{"10.1.2.3", "10.1.2.3", 1, true}, Allowed{"10.1.2.3", "10.1.2.4", 1, false},
        Allowed{"10.1.2.3:443", "10.1.2.3", 443, true}, Allowed{"10.1.2.3:443", "10.1.2.3", 444, false},
        Allowed{" 10.1.2.3 ", "10.1.2.3", 1, true}, Allowed{"10.1.2.3", "::ffff:10.1.2.3", 1, true},
        Allowed{"::ffff:10.1.2.3", "10.1.2.3", 1, true}, Allowed{"10.1.2.3", "64:ff9b::10.1.2.3", 1, true},
        Allowed{"10.1.2.3", "2002:a01:203::1", 1, false}, Allowed{"fd00::1", "fd00::1", 1, true},
        Allowed{"fd00::1", "fd00::2", 1, false}, Allowed{"[fd00::1]", "fd00::1", 1, true},
        Allowed{"[FD00::1]:443", "fd00::1", 443, true}, Allowed{"[fd00::1]:443", "fd00::1", 80, false},
        Allowed{"127.0.0.1", "127.1", 1, true}));
INSTANTIATE_TEST_SUITE_P(Networks, AllowListTest,
                         ::testing::Values(Allowed{"10.0.0.0/8", "10.1.2.3", 1, true},
                                           Allowed{"10.0.0.0/8", "192.168.0.1", 1, false},
                                           Allowed{"10.0.0.0/8:443", "10.1.2.3", 443, true},
                                           Allowed{"10.0.0.0/8:443", "10.1.2.3", 80, false},
                                           Allowed{"192.168.4.0/22", "192.168.7.255", 1, true},
                                           Allowed{"192.168.4.0/22", "192.168.8.0", 1, false},
                                           Allowed{"0.0.0.0/0", "127.0.0.1", 1, true},
                                           Allowed{"0.0.0.0/0", "::1", 1, false},
                                           Allowed{"fd00::/8", "fd12::1", 1, true},
                                           Allowed{"fd00::/8", "fc12::1", 1, false},
                                           Allowed{"[fd00::]/8:443", "fd12::1", 443, true},
                                           Allowed{"fd00::/8:443", "fd12::1", 80, false},
                                           Allowed{"64:ff9b::/96", "64:ff9b::10.0.0.1", 1, true}));
INSTANTIATE_TEST_SUITE_P(Localhost, AllowListTest,
                         ::testing::Values(Allowed{"localhost", "localhost", 1, true},
                                           Allowed{"localhost", "a.localhost", 1, false},
                                           Allowed{".localhost", "a.localhost", 1, true},
                                           Allowed{".localhost", "localhost", 1, false},
                                           Allowed{"localhost:443", "localhost", 80, false},
                                           Allowed{"127.0.0.1", "localhost", 1, true},
                                           Allowed{"::1", "localhost", 1, true},
                                           Allowed{"127.0.0.2", "localhost", 1, false}));

struct AllowedName {
  const char* entry;
  const char* name;
  std::uint16_t port;
  bool allowed;
};
class AllowedNameTest : public ::testing::TestWithParam<AllowedName> {};
TEST_P(AllowedNameTest, MayHaveAnyAddress) {
  const AllowedName& c = GetParam();
  for (const char* ip : {"10.0.0.1", "::1", "64:ff9b::10.0.0.1"}) {
    const auto address = parse_address(ip, c.port);
    EXPECT_EQ(allowing({c.entry}).check_address(c.name, *address).ok(), c.allowed) << ip;
  }
}
INSTANTIATE_TEST_SUITE_P(
    All, AllowedNameTest,
    ::testing::Values(AllowedName{"agent.example.com", "agent.example.com", 1, true},
                      AllowedName{"Agent.Example.com.", "AGENT.example.com", 1, true},
                      AllowedName{"agent.example.com", "agent.example.com.", 1, true},
                      AllowedName{"agent.example.com:443", "agent.example.com", 443, true},
                      AllowedName{"agent.example.com:443", "agent.example.com", 80, false},
                      AllowedName{"example.com", "agent.example.com", 1, false},
                      AllowedName{".example.com", "agent.example.com", 1, true},
                      AllowedName{".example.com", "a.b.example.com", 1, true},
                      AllowedName{".example.com", "example.com", 1, false},
                      AllowedName{".example.com", "badexample.com", 1, false},
                      AllowedName{".example.com:443", "agent.example.com", 443, true},
                      AllowedName{".example.com:443", "agent.example.com", 80, false},
                      AllowedName{"192.168.0.0/16", "agent.example.com", 1, false}));

TEST(AddressPolicyTest, AnInvalidEntryIsNamed) {
  for (const char* entry : {"",
                            " ",
                            ".",
                            "*",
                            "*.example.com",
                            "10.0.0.0/33",
                            "10.0.0.0/x",
                            "10.0.0.0/-1",
                            "/8",
                            "10.0.0.1/8",
                            "fd00::1/8",
                            "fd00::/129",
                            "::ffff:10.0.0.0/104",
                            "10.0.0.1:0",
                            "10.0.0.1:65536",
                            "10.0.0.1:",
                            "10.0.0.1:http",
                            "[fd00::1",
                            "[fd00::1]2",
                            "[10.0.0.1]:80",
                            "fd00::zz",
                            "10.1",
                            "0x7f000001",
                            "a..b",
                            "a b",
                            "https://example.com",
                            "a/b"}) {
    const auto policy = AddressPolicy::parse({"10.0.0.0/8", entry});
    ASSERT_FALSE(policy.has_value()) << entry;
    EXPECT_EQ(policy.error().code(), Code::kInvalidArgument);
    EXPECT_THAT(policy.error().message(), HasSubstr("\"" + std::string(entry) + "\" "));
  }
}

}  // namespace
}  // namespace towline::io
