#include "io/http_proxy.h"

#include <map>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/listen.h"
#include "io/testing.h"
#include "io/testing_tls.h"
#include "io/tls_stream.h"

namespace towline::io {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::run_until;
using testing::write_text;

using Variables = std::map<std::string, std::string>;

Result<ProxySettings> settings_of(const Variables& variables) {
  return ProxySettings::from_environment([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

std::string proxy_of(const Variables& variables, const std::string& host, std::uint16_t port = 443,
                     bool tls = true) {
  const auto settings = settings_of(variables);
  const Url* const proxy = settings->proxy_for(host, port, tls);
  return proxy == nullptr ? "" : proxy->host;
}

TEST(ProxySettingsTest, ReadsBothCasesAndPrefersUpper) {
  EXPECT_EQ(proxy_of({{"HTTPS_PROXY", "http://a:1"}}, "kas.example.com"), "a");
  EXPECT_EQ(proxy_of({{"https_proxy", "http://b:1"}}, "kas.example.com"), "b");
  EXPECT_EQ(proxy_of({{"HTTPS_PROXY", "http://a:1"}, {"https_proxy", "http://b:1"}}, "kas.example.com"), "a");
  EXPECT_EQ(proxy_of({{"HTTPS_PROXY", ""}, {"https_proxy", "b:3128"}}, "kas.example.com"), "b");
}

TEST(ProxySettingsTest, TheSchemeDecidesWhichOne) {
  const Variables variables = {{"HTTP_PROXY", "http://plain:1"}, {"HTTPS_PROXY", "http://secure:1"}};
  EXPECT_EQ(proxy_of(variables, "kas.example.com", 443, true), "secure");
  EXPECT_EQ(proxy_of(variables, "kas.example.com", 80, false), "plain");
  EXPECT_EQ(proxy_of({{"HTTP_PROXY", "http://plain:1"}}, "kas.example.com", 443, true), "");
}

TEST(ProxySettingsTest, LoopbackIsNeverProxied) {
  for (const char* host : {"localhost", "LOCALHOST", "localhost.", "a.localhost", "127.0.0.1", "127.1.2.3",
                           "::1", "::ffff:127.0.0.1"}) {
    EXPECT_EQ(proxy_of({{"HTTPS_PROXY", "http://a:1"}}, host), "") << host;
  }
}

struct NoProxyCase {
  const char* no_proxy;
  const char* host;
  std::uint16_t port;
  bool excepted;
};
class NoProxyTest : public ::testing::TestWithParam<NoProxyCase> {};
TEST_P(NoProxyTest, IsObeyed) {
  const NoProxyCase& c = GetParam();
  const Variables upper = {{"HTTPS_PROXY", "http://a:1"}, {"NO_PROXY", c.no_proxy}};
  const Variables lower = {{"HTTPS_PROXY", "http://a:1"}, {"no_proxy", c.no_proxy}};
  EXPECT_EQ(proxy_of(upper, c.host, c.port).empty(), c.excepted) << c.no_proxy << " " << c.host;
  EXPECT_EQ(proxy_of(lower, c.host, c.port).empty(), c.excepted);
}
INSTANTIATE_TEST_SUITE_P(All, NoProxyTest,
                         ::testing::Values(NoProxyCase{"*", "anything", 1, true},
                                           NoProxyCase{"a.com, *", "anything", 1, true},
                                           NoProxyCase{"example.com", "example.com", 443, true},
                                           NoProxyCase{"example.com", "kas.example.com", 443, true},
                                           NoProxyCase{"example.com", "badexample.com", 443, false},
                                           NoProxyCase{".example.com", "example.com", 443, false},
                                           NoProxyCase{".example.com", "kas.example.com", 443, true},
                                           NoProxyCase{"*.example.com", "kas.example.com", 443, true},
                                           NoProxyCase{"example.com", "kas.example.com.", 443, true},
                                           NoProxyCase{"EXAMPLE.com", "kas.Example.COM", 443, true},
                                           NoProxyCase{"other.com, example.com ,", "example.com", 443, true},
                                           NoProxyCase{"example.com:443", "example.com", 443, true},
                                           NoProxyCase{"example.com:443", "example.com", 444, false},
                                           NoProxyCase{"10.0.0.0/8", "10.1.2.3", 443, true},
                                           NoProxyCase{"10.0.0.0/8", "11.1.2.3", 443, false},
                                           NoProxyCase{"192.168.4.0/22", "192.168.7.255", 443, true},
                                           NoProxyCase{"192.168.4.0/22", "192.168.8.0", 443, false},
                                           NoProxyCase{"10.0.0.0/8", "::ffff:10.1.2.3", 443, true},
                                           NoProxyCase{"2001:db8::/32", "2001:db8::1", 443, true},
                                           NoProxyCase{"2001:db8::/32", "2001:db9::1", 443, false},
                                           NoProxyCase{"2001:db8::1", "2001:db8::1", 443, true},
                                           NoProxyCase{"[2001:db8::1]:443", "2001:db8::1", 443, true},
                                           NoProxyCase{"10.0.0.1", "10.0.0.1", 443, true},
                                           NoProxyCase{"10.0.0.1:80", "10.0.0.1", 443, false},
                                           NoProxyCase{"10.0.0.0/33, 10.0.0.0/x, /8", "10.0.0.1", 443, false},
                                           NoProxyCase{"10.0.0.0/8", "10.example.com", 443, false}));

TEST(ProxySettingsTest, WhatIsNoProxyIsRefusedWithoutItsPassword) {
  const auto settings = settings_of({{"HTTPS_PROXY", "socks5://me:secret@a:1"}});
  ASSERT_FALSE(settings.has_value());
  EXPECT_THAT(settings.error().message(), HasSubstr("HTTPS_PROXY is not the address of an HTTP proxy"));
  EXPECT_THAT(settings.error().message(), Not(HasSubstr("secret")));
}

// A proxy that answers what the test says.
class ProxyDialTest : public ::testing::Test {
 protected:
  void start(const std::string& credentials = "") {
    listener = listen(loop, "127.0.0.1", 0, false, [this](std::unique_ptr<Stream> stream) {
                 at_proxy = std::move(stream);
                 reader.emplace(*at_proxy);
               }).value();
    const std::string url = "http://" + credentials + "127.0.0.1:" + std::to_string(listener->port());
    dialer = proxy_dialer(*direct, settings_of({{"HTTPS_PROXY", url}, {"HTTP_PROXY", url}}).value(), nullptr);
  }
  void dial(std::shared_ptr<TlsClientContext> tls = nullptr) {
    operation = dialer->dial(loop, {.host = "kas.example.com", .port = 443, .tls = std::move(tls)},
                             seconds(30), [this](auto dialled) { result = std::move(dialled); });
  }
  void wait_for_request() {
    ASSERT_TRUE(run_until(loop, [&] { return reader && reader->text.ends_with("\r\n\r\n"); }));
  }
  std::string error_after(const std::string& answer) {
    dial();
    wait_for_request();
    write_text(*at_proxy, answer);
    EXPECT_TRUE(run_until(loop, [&] { return result.has_value(); }));
    return result && !*result ? result->error().message() : "";
  }

  SystemClock clock;
  Loop loop{clock};
  std::unique_ptr<Resolver> resolver = system_resolver();
  std::unique_ptr<Dialer> direct = direct_dialer(*resolver);
  std::unique_ptr<Listener> listener;
  std::unique_ptr<Stream> at_proxy;
  std::optional<testing::Reader> reader;
  std::unique_ptr<Dialer> dialer;
  std::unique_ptr<Operation> operation;
  std::optional<Result<std::unique_ptr<Stream>>> result;
};

TEST_F(ProxyDialTest, ConnectsAndLosesNoByteThatCameWithTheAnswer) {
  start("me:p%40ss@");
  dial();
  wait_for_request();
  EXPECT_THAT(reader->text,
              HasSubstr("CONNECT kas.example.com:443 HTTP/1.1\r\nHost: kas.example.com:443\r\n"));
  EXPECT_THAT(reader->text, HasSubstr("Proxy-Authorization: Basic bWU6cEBzcw==\r\n"));
  write_text(*at_proxy, "HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\nhello");
  ASSERT_TRUE(run_until(loop, [&] { return result.has_value(); }));
  ASSERT_TRUE(result->has_value()) << result->error().to_string();
  testing::Reader target(***result);
  ASSERT_TRUE(run_until(loop, [&] { return target.text == "hello"; }));
}

TEST_F(ProxyDialTest, TheTargetsNameIsVerifiedThroughTheProxy) {
  const testing::TlsSetup setup;
  start();
  dial(setup.client());
  wait_for_request();
  write_text(*at_proxy, "HTTP/1.1 200 OK\r\n\r\n");
  std::optional<Result<std::unique_ptr<Stream>>> accepted;
  at_proxy->set_handler(nullptr);
  auto accepting = tls_accept(loop, std::move(at_proxy), setup.server(), seconds(30),
                              [&](auto stream) { accepted = std::move(stream); });
  ASSERT_TRUE(run_until(loop, [&] { return result && accepted; }));
  ASSERT_TRUE(result->has_value()) << result->error().to_string();
  EXPECT_TRUE((**result)->secure());
}

TEST_F(ProxyDialTest, ARefusalNamesProxyAndReason) {
  start();
  EXPECT_THAT(error_after("HTTP/1.1 403 Forbidden\r\n\r\n"),
              HasSubstr("HTTP proxy 127.0.0.1:" + std::to_string(listener->port()) +
                        ": it refused CONNECT kas.example.com:443: 403 Forbidden"));
}

TEST_F(ProxyDialTest, WrongCredentialsAreSaidWithoutThem) {
  start("me:secret@");
  const std::string error = error_after("HTTP/1.0 407 Proxy Authentication Required\r\n\r\n");
  EXPECT_THAT(error, HasSubstr("it refused the credentials in its address (407)"));
  EXPECT_THAT(error, Not(HasSubstr("secret")));
}

TEST_F(ProxyDialTest, AMissingPasswordIsAskedFor) {
  start();
  EXPECT_THAT(error_after("HTTP/1.1 407 x\r\n\r\n"), HasSubstr("it wants credentials"));
}

TEST_F(ProxyDialTest, WhatIsNoProxyIsSaidToBeNone) {
  start();
  EXPECT_THAT(error_after("220 smtp ready\r\n\r\n"), HasSubstr("it does not speak HTTP"));
}

TEST_F(ProxyDialTest, AnEndlessAnswerIsCutOff) {
  start();
  EXPECT_THAT(error_after("HTTP/1.1 200 OK\r\nX: " + std::string(20'000, 'x')),
              HasSubstr("a head over 16 KiB"));
}

TEST_F(ProxyDialTest, AProxyThatDiesIsNamed) {
  start();
  dial();
  wait_for_request();
  reader.reset();
  at_proxy.reset();
  ASSERT_TRUE(run_until(loop, [&] { return result.has_value(); }));
  EXPECT_THAT(result->error().message(), HasSubstr("HTTP proxy 127.0.0.1:"));
}

TEST_F(ProxyDialTest, AProxyThatIsNotThereIsNamed) {
  start();
  listener.reset();
  dial();
  ASSERT_TRUE(run_until(loop, [&] { return result.has_value(); }));
  EXPECT_THAT(result->error().message(), HasSubstr("HTTP proxy 127.0.0.1:"));
  EXPECT_THAT(result->error().message(), HasSubstr("Connection refused"));
}

}  // namespace
}  // namespace towline::io
