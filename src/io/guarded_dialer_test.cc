#include "io/guarded_dialer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/guarded_dialer_test_support.h"
#include "io/testing.h"
#include "io/testing_tls.h"
#include "io/tls_stream.h"

namespace towline::io {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::run_until;
using testing::settle;
using testing::write_text;

TEST_F(GuardedDialerTest, ASecondAnswerOfTheNameServersIsNeverUsed) {
  resolver.answers = {{"127.0.0.2"}, {"127.0.0.1"}};
  make({"127.0.0.2"});
  const std::uint16_t port = start_listening();
  EXPECT_EQ(peer_of("rebind.example.com", port), "127.0.0.2:" + std::to_string(port));
  EXPECT_THAT(resolver.asked, ElementsAre("rebind.example.com"));
}

TEST_F(GuardedDialerTest, APublicAddressIsDialledAsItWasChecked) {
  resolver.answers = {{"93.184.215.14"}, {"127.0.0.1"}};
  direct.failing = true;
  make();
  EXPECT_EQ(error_of("rebind.example.com"), Status(Code::kUnavailable, "no way"));
  EXPECT_THAT(direct.hosts, ElementsAre("93.184.215.14"));
  EXPECT_THAT(resolver.asked, ElementsAre("rebind.example.com"));
}

TEST_F(GuardedDialerTest, ARefusalNamesNameAndAddress) {
  resolver.answers = {{"169.254.169.254", "10.0.0.1"}};
  make();
  EXPECT_EQ(error_of("rebind.example.com"),
            Status(Code::kPermissionDenied,
                   "rebind.example.com: 169.254.169.254 is a link-local address; it is dialled only with "
                   "--outbound-allow 169.254.169.254:443"));
  EXPECT_THAT(direct.hosts, IsEmpty());
}

TEST_F(GuardedDialerTest, OfSeveralAddressesThoseThatAreRefusedAreLeftOut) {
  resolver.answers = {{"10.0.0.1", "127.0.0.2", "::ffff:127.0.0.1", "::1", "nonsense"}};
  make({"127.0.0.2"});
  const std::uint16_t port = start_listening();
  EXPECT_EQ(peer_of("agent.example.com", port), "127.0.0.2:" + std::to_string(port));
  EXPECT_THAT(direct.hosts, ElementsAre("127.0.0.2"));
}

TEST_F(GuardedDialerTest, GoesOnToTheNextThatPassed) {
  resolver.answers = {{"127.0.0.3", "10.0.0.1", "127.0.0.2"}};
  make({"127.0.0.0/8"});
  auto other = listen(loop, "127.0.0.2", 0, false, [](auto) {}).value();
  EXPECT_EQ(peer_of("agent.example.com", other->port()), other->address());
  EXPECT_THAT(direct.hosts, ElementsAre("127.0.0.3", "127.0.0.2"));
}

TEST_F(GuardedDialerTest, AnIpv4AddressInsideIpv6IsDialledAsWhatItIs) {
  resolver.answers = {{"::ffff:127.0.0.1"}};
  make();
  EXPECT_EQ(error_of("agent.example.com").code(), Code::kPermissionDenied);
  EXPECT_THAT(direct.hosts, IsEmpty());
  result.reset();
  make({"127.0.0.1"});
  const std::uint16_t port = start_listening();
  EXPECT_EQ(peer_of("agent.example.com", port), "127.0.0.1:" + std::to_string(port));
  EXPECT_THAT(direct.hosts, ElementsAre("127.0.0.1"));
}

TEST_F(GuardedDialerTest, TheNumberOfAddressesIsBounded) {
  Ips many;
  for (int i = 0; i < 1000; ++i)
    many.push_back("8.8." + std::to_string(i / 250) + "." + std::to_string(i % 250));
  resolver.answers = {many};
  direct.failing = true;
  make();
  EXPECT_EQ(error_of("agent.example.com"), Status(Code::kUnavailable, "no way"));
  EXPECT_EQ(direct.hosts.size(), 16U);
}

TEST_F(GuardedDialerTest, AnAddressIsJudgedWithoutNameServers) {
  make({"127.0.0.1"});
  const std::uint16_t port = start_listening();
  for (const char* host : {"127.0.0.1", "127.1", "2130706433", "::ffff:127.0.0.1", "127.0.0.1."}) {
    EXPECT_EQ(peer_of(host, port), "127.0.0.1:" + std::to_string(port)) << host;
    result.reset();
    EXPECT_EQ(direct.hosts.back(), "127.0.0.1");
  }
  for (const char* host : {"127.0.0.2", "127.2", "::1", "0", "localhost", "a.localhost."}) {
    const std::size_t before = direct.hosts.size();
    const Status refused = error_of(host, 1);
    result.reset();
    const bool own_name = std::string(host).find("localhost") != std::string::npos;
    // 127.0.0.1 is allowed, so a name of this machine is looked up; the resolver knows none.
    EXPECT_EQ(refused.code(), own_name ? Code::kUnavailable : Code::kPermissionDenied) << host;
    EXPECT_EQ(direct.hosts.size(), before);
  }
  EXPECT_THAT(resolver.asked, ElementsAre("localhost", "a.localhost."));
  EXPECT_EQ(resolver.literals, direct.hosts.size()) << "only the direct dialer asks for addresses";
}

TEST_F(GuardedDialerTest, WhatIsNoHostIsNotLookedUp) {
  make();
  EXPECT_EQ(error_of("a b\r\n").code(), Code::kInvalidArgument);
  result.reset();
  EXPECT_EQ(error_of("localhost").code(), Code::kPermissionDenied);
  EXPECT_THAT(resolver.asked, IsEmpty());
}

TEST_F(GuardedDialerTest, AnAllowedNameMayHaveAnyAddress) {
  resolver.answers = {{"127.0.0.1"}};
  make({".example.com"});
  const std::uint16_t port = start_listening();
  EXPECT_EQ(peer_of("agent.example.com", port), "127.0.0.1:" + std::to_string(port));
}

TEST_F(GuardedDialerTest, TlsVerifiesTheName) {
  const testing::TlsSetup setup;
  resolver.answers = {{"127.0.0.2"}};
  make({"127.0.0.2"});
  const std::uint16_t port = start_listening();
  for (const auto& [name, fits] :
       {std::pair("kas.example.com", true), std::pair("evil.example.com", false)}) {
    begin(name, port, setup.client());
    ASSERT_TRUE(run_until(loop, [&] { return accepted != nullptr; }));
    std::optional<Dialled> served;
    auto accepting = tls_accept(loop, std::move(accepted), setup.server(), seconds(30),
                                [&](auto stream) { served = std::move(stream); });
    wait();
    EXPECT_EQ(result->has_value(), fits) << (fits ? result->error().message() : name);
    result.reset();
  }
  EXPECT_THAT(direct.server_names, ElementsAre("kas.example.com", "evil.example.com"));
}

TEST_F(GuardedDialerTest, AGivenServerNameGoesBeforeTheHost) {
  resolver.answers = {{"8.8.8.8"}};
  direct.failing = true;
  make();
  operation =
      dialer->dial(loop, {.host = "agent.example.com", .port = 443, .tls_server_name = "other.example.com"},
                   seconds(30), [this](Dialled dialled) { result = std::move(dialled); });
  wait();
  EXPECT_THAT(direct.server_names, ElementsAre("other.example.com"));
}

TEST_F(GuardedDialerTest, AnUnknownNameIsSaidToBeOne) {
  make();
  EXPECT_EQ(error_of("agent.example.com"),
            Status(Code::kUnavailable, "resolve agent.example.com: no such host"));
  result.reset();
  resolver.answers = {{}};
  EXPECT_EQ(error_of("agent.example.com"),
            Status(Code::kUnavailable, "resolve agent.example.com: the name has no address"));
}

TEST_F(GuardedDialerTest, TheDeadlineCoversTheNameServers) {
  FakeClock fake;
  Loop frozen(fake);
  resolver.silent = true;
  make();
  operation = dialer->dial(frozen, {.host = "agent.example.com", .port = 443}, seconds(10),
                           [this](Dialled dialled) { result = std::move(dialled); });
  fake.advance(seconds(9));
  frozen.poll();
  EXPECT_FALSE(result.has_value());
  fake.advance(seconds(1));
  frozen.poll();
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->error(),
            Status(Code::kDeadlineExceeded, "resolve agent.example.com: no answer within 10000 ms"));
  operation.reset();
}

TEST_F(GuardedDialerTest, DestroyingTheOperationCancelsIt) {
  resolver.answers = {{"127.0.0.1"}};
  make({"127.0.0.1"});
  const std::uint16_t port = start_listening();
  for (const char* host : {"127.0.0.1", "agent.example.com", "10.0.0.1"}) {
    for (int steps = 0; steps < 4; ++steps) {
      begin(host, port);
      for (int i = 0; i < steps; ++i) loop.poll();
      const bool done = std::exchange(result, std::nullopt).has_value();
      operation.reset();
      settle(loop);
      EXPECT_FALSE(result.has_value()) << host << (done ? " was called twice" : " was called after the end");
    }
  }
}

TEST_F(GuardedDialerTest, MayBeDestroyedInItsCallback) {
  resolver.answers = {{"127.0.0.1"}};
  make({"127.0.0.1"});
  const std::uint16_t listening = start_listening();
  const testing::ClosedPort refusing;
  const std::uint16_t closed = refusing.port();
  for (const auto& [host, port] : {std::pair("agent.example.com", listening), std::pair("127.0.0.1", closed),
                                   std::pair("agent.example.com", closed), std::pair("10.0.0.1", closed)}) {
    bool called = false;
    operation = dialer->dial(loop, {.host = host, .port = port}, seconds(30), [&](Dialled) {
      called = true;
      operation.reset();
    });
    ASSERT_TRUE(run_until(loop, [&] { return called; }));
  }
}

// A proxy on loopback that answers what the test says. The proxy itself is not subject to the policy.
class GuardedProxyTest : public GuardedDialerTest {
 protected:
  void start(const std::vector<std::string>& allowed = {}, const std::string& except = "") {
    const std::uint16_t port = start_listening();
    make(allowed, proxy_at("http://127.0.0.1:" + std::to_string(port), except));
  }
  // Waits for the next request to the proxy; its first line without the version.
  std::string request() {
    std::string line;
    EXPECT_TRUE(run_until(loop, [&] { return accepted != nullptr; }));
    if (accepted == nullptr) return line;
    at_proxy = std::move(accepted);
    testing::Reader reader(*at_proxy);
    EXPECT_TRUE(run_until(loop, [&] { return reader.text.ends_with("\r\n\r\n"); }));
    at_proxy->set_handler(nullptr);
    line = reader.text.substr(0, reader.text.find(" HTTP/"));
    return line;
  }
  void expect_no_request() {
    settle(loop);
    EXPECT_EQ(accepted, nullptr);
  }

  std::unique_ptr<Stream> at_proxy;
};

TEST_F(GuardedProxyTest, TheProxyIsToldTheAddressThatWasChecked) {
  const testing::TlsSetup setup;
  resolver.answers = {{"10.0.0.1", "93.184.215.14"}, {"127.0.0.1"}};
  start();
  begin("kas.example.com", 443, setup.client());
  EXPECT_EQ(request(), "CONNECT 93.184.215.14:443");
  EXPECT_THAT(resolver.asked, ElementsAre("kas.example.com"));
  write_text(*at_proxy, "HTTP/1.1 200 OK\r\n\r\n");
  std::optional<Dialled> served;
  auto accepting = tls_accept(loop, std::move(at_proxy), setup.server(), seconds(30),
                              [&](auto stream) { served = std::move(stream); });
  wait();
  ASSERT_TRUE(result->has_value()) << result->error().to_string();
  EXPECT_TRUE((**result)->secure());
}

TEST_F(GuardedProxyTest, GoesOnToTheNextAddressThroughTheProxy) {
  resolver.answers = {{"2606:4700::1111", "93.184.215.14"}};
  start();
  begin("agent.example.com");
  EXPECT_EQ(request(), "CONNECT [2606:4700::1111]:443");
  write_text(*at_proxy, "HTTP/1.1 502 no route\r\n\r\n");
  EXPECT_EQ(request(), "CONNECT 93.184.215.14:443");
  write_text(*at_proxy, "HTTP/1.1 200 OK\r\n\r\n");
  wait();
  EXPECT_TRUE(result->has_value()) << result->error().to_string();
}

TEST_F(GuardedProxyTest, ANameThatCannotBeResolvedIsGivenToTheProxy) {
  for (const std::vector<Ips>& answers : {std::vector<Ips>(), std::vector<Ips>{{}}}) {
    resolver.answers = answers;
    start();
    begin("agent.example.com");
    EXPECT_EQ(request(), "CONNECT agent.example.com:443");
    write_text(*at_proxy, "HTTP/1.1 200 OK\r\n\r\n");
    wait();
    EXPECT_TRUE(result->has_value()) << result->error().to_string();
    result.reset();
  }
}

TEST_F(GuardedProxyTest, TheExceptionIsForNamesAloneThatHaveNoAddress) {
  start();
  resolver.answers = {{"10.0.0.1"}};
  EXPECT_EQ(error_of("agent.example.com").code(), Code::kPermissionDenied);
  resolver.answers.clear();
  for (const char* host : {"10.0.0.1", "10.1", "167772161", "::ffff:10.0.0.1", "169.254.169.254.",
                           "localhost.", "64:ff9b::10.0.0.1", "fd00:ec2::254"}) {
    result.reset();
    EXPECT_EQ(error_of(host).code(), Code::kPermissionDenied) << host;
  }
  for (const char* host : {"10.0.0.256", "10.0.0.1.2", "a\r\nX: y", "example.0x7f"}) {
    result.reset();
    EXPECT_EQ(error_of(host).code(), Code::kInvalidArgument) << host;
  }
  expect_no_request();
  EXPECT_THAT(direct.hosts, IsEmpty());
}

TEST_F(GuardedProxyTest, WithoutAProxyForTheTargetThereIsNoException) {
  start({"localhost"}, "agent.example.com");
  EXPECT_EQ(error_of("agent.example.com").code(), Code::kUnavailable);
  result.reset();
  EXPECT_EQ(error_of("localhost.").code(), Code::kUnavailable);
  expect_no_request();
}

TEST_F(GuardedProxyTest, SilentNameServersLeaveTimeForTheProxy) {
  FakeClock fake;
  Loop frozen(fake);
  resolver.silent = true;
  make({}, proxy_at("http://127.0.0.1:1"));
  operation = dialer->dial(frozen, {.host = "agent.example.com", .port = 443}, seconds(10),
                           [this](Dialled dialled) { result = std::move(dialled); });
  fake.advance(seconds(4));
  frozen.poll();
  EXPECT_THAT(direct.hosts, IsEmpty());
  fake.advance(seconds(1));
  frozen.poll();
  EXPECT_THAT(direct.hosts, ElementsAre("127.0.0.1"));  // the proxy
  operation.reset();
}

TEST_F(GuardedProxyTest, DestroyingTheOperationCancelsIt) {
  start();
  for (const std::vector<Ips>& answers : {std::vector<Ips>(), std::vector<Ips>{{"8.8.8.8", "1.1.1.1"}}}) {
    resolver.answers = answers;
    begin("agent.example.com");
    request();
    operation.reset();
    write_text(*at_proxy, "HTTP/1.1 502 no\r\n\r\n");
    expect_no_request();
    EXPECT_FALSE(result.has_value());
  }
}

}  // namespace
}  // namespace towline::io
