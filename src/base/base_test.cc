#include <fcntl.h>
#include <filesystem>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/backoff.h"
#include "base/encoding.h"
#include "base/files.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/url.h"

namespace towline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(Encoding, Base64RoundTripsAllLengths) {
  for (std::size_t n = 0; n < 40; ++n) {
    const std::string bytes = random_bytes(n);
    EXPECT_EQ(base64_decode(base64_encode(bytes)).value(), bytes);
    EXPECT_EQ(base64url_decode(base64url_encode(bytes)).value(), bytes);
  }
}

TEST(Encoding, Base64RefusesWhatIsNotBase64) {
  EXPECT_FALSE(base64_decode("a b=").has_value());
  EXPECT_FALSE(base64_decode("abcde").has_value());
  EXPECT_FALSE(base64url_decode("ab+/").has_value());
}

TEST(Encoding, PercentDecodesFully) {
  EXPECT_EQ(percent_decode("%2Egitlab%2Fagents%2fa").value(), ".gitlab/agents/a");
  EXPECT_FALSE(percent_decode("%2").has_value());
  EXPECT_FALSE(percent_decode("abc%").has_value());
  EXPECT_FALSE(percent_decode("%zz").has_value());
  EXPECT_EQ(percent_decode("a+b", true).value(), "a b");
}

TEST(Encoding, Sha256OfTheEmptyStringIsTheKnownOne) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Secret, ComparesWholeValues) {
  const Secret secret("abc");
  EXPECT_TRUE(secret.equals("abc"));
  EXPECT_FALSE(secret.equals("abd"));
  EXPECT_FALSE(secret.equals("ab"));
}

TEST(Url, TakesAnAddressApart) {
  const auto url = parse_url("wss://us%40er:p%3Aw@Kas.Example.COM:8443/-/kubernetes-agent/?a=b");
  ASSERT_TRUE(url.has_value()) << url.error().to_string();
  EXPECT_EQ(url->scheme, "wss");
  EXPECT_EQ(url->user, "us@er");
  EXPECT_EQ(url->password, "p:w");
  EXPECT_EQ(url->host, "kas.example.com");
  EXPECT_EQ(url->port, 8443);
  EXPECT_EQ(url->target(), "/-/kubernetes-agent/?a=b");
  EXPECT_EQ(url->authority(), "kas.example.com:8443");
}

TEST(Url, KnowsDefaultPortsAndIpv6) {
  EXPECT_EQ(parse_url("grpc://a")->port, 80);
  EXPECT_EQ(parse_url("grpcs://a")->port, 443);
  const auto url = parse_url("https://[::1]:6443");
  ASSERT_TRUE(url.has_value());
  EXPECT_EQ(url->host, "::1");
  EXPECT_EQ(url->authority(), "[::1]:6443");
  EXPECT_EQ(url->path, "/");
}

TEST(Url, RefusesWhatHasNoHostAndKeepsSecretsOut) {
  EXPECT_FALSE(parse_url("kas.example.com").has_value());
  EXPECT_FALSE(parse_url("https://").has_value());
  EXPECT_FALSE(parse_url("https://a:99999").has_value());
  const auto url = parse_url("https://user:hunter2@bad host");
  ASSERT_FALSE(url.has_value());
  EXPECT_THAT(url.error().message(), testing::Not(HasSubstr("hunter2")));
}

TEST(Url, IsShownWithoutCredentials) {
  EXPECT_EQ(without_credentials("wss://u:hunter2@kas.example.com/a@b?c@d"),
            "wss://***@kas.example.com/a@b?c@d");
  EXPECT_EQ(without_credentials("wss://u:hun@ter2@kas:12x/"), "wss://***@kas:12x/");
  EXPECT_EQ(without_credentials("u:hunter2@kas"), "***@kas");
  EXPECT_EQ(without_credentials("wss://kas/?next=a@b"), "wss://kas/?next=a@b");
  EXPECT_EQ(without_credentials(""), "");
}

TEST(Url, RefusesPortsThatAreNoNumbers) {
  for (const char* text : {"http://127.0.0.1:12x", "http://a:notaport", "http://a:", "http://a:80:90",
                           "http://a:https://b:1/", "wss://localhost:12x/", "https://a:0", "https://a:-1",
                           "https://a:+1", "https://a: 1", "https://[::1]:1x", "https://[::1]1",
                           "https://[::1]x/", "https://u:p@a:1x/", "https://a:0x10/", "https://a:65536/"}) {
    const auto url = parse_url(text);
    EXPECT_FALSE(url.has_value()) << text << " gave port " << url->port << " and path " << url->path;
  }
  EXPECT_EQ(parse_url("https://u:p%40w@[::1]:65535/a:b@c?d:e")->port, 65535);
  EXPECT_EQ(parse_url("https://a/b:c")->port, 443);
}

TEST(HostPort, RefusesPortsThatAreNoNumbers) {
  for (const char* text : {"a:12x", "a:", "a:-1", "a:65536", "a:+1", "a: 1", "a:1 ", "a:b:1"})
    EXPECT_FALSE(parse_host_port(text).has_value()) << text;
}

TEST(HostPort, AcceptsEmptyHostAndBrackets) {
  EXPECT_EQ(parse_host_port(":8080")->port, 8080);
  EXPECT_EQ(parse_host_port("[::1]:80")->host, "::1");
  EXPECT_FALSE(parse_host_port("::1:80").has_value());
  EXPECT_FALSE(parse_host_port("localhost").has_value());
}

TEST(Backoff, GrowsToItsMaximumAndResets) {
  using std::chrono::milliseconds;
  Backoff backoff({.initial = milliseconds(100), .maximum = milliseconds(300), .factor = 2, .jitter = 0.5},
                  [] { return 0.0; });
  EXPECT_EQ(backoff.next(), milliseconds(100));
  EXPECT_EQ(backoff.next(), milliseconds(200));
  EXPECT_EQ(backoff.next(), milliseconds(300));
  EXPECT_EQ(backoff.next(), milliseconds(300));
  backoff.reset();
  EXPECT_EQ(backoff.next(), milliseconds(100));
}

TEST(HostPort, APeersAddressIsWhatStandsBeforeItsPort) {
  EXPECT_EQ(without_port("192.0.2.1:443"), "192.0.2.1");
  EXPECT_EQ(without_port("[::1]:443"), "[::1]");
  EXPECT_EQ(without_port("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(without_port("[::1]"), "[::1]");
}

TEST(Backoff, JitterShortensTheDelay) {
  using std::chrono::milliseconds;
  Backoff backoff({.initial = milliseconds(100), .jitter = 0.5}, [] { return 0.999; });
  EXPECT_LT(backoff.next(), milliseconds(51));
}

TEST(Text, TrimTakesOnlyWhatIsUnwantedAtTheEnds) {
  EXPECT_EQ(trim(" \ta b\t "), "a b");
  EXPECT_EQ(trim("a\n"), "a\n");
  EXPECT_EQ(trim("\r\n a\n", kSpace), "a");
  EXPECT_EQ(trim(" \t"), "");
}

TEST(Text, WhatStrangersSayIsMadePrintable) {
  EXPECT_EQ(printable("v1.2 f\xc3\xbcr \xe6\x97\xa5", 255), "v1.2 f\xc3\xbcr \xe6\x97\xa5");
  EXPECT_EQ(printable(std::string_view("a\0b\nc\x1b[2J\x7f", 9), 255), "a?b?c?[2J");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m\xe2\x80\xae",
                      255),
            "?31m?");
  EXPECT_EQ(printable("\xff\xc3", 255), "??");
  EXPECT_EQ(printable("ab\xc3\xbc", 3), "ab");
  EXPECT_EQ(printable(std::string(1000, 'x'), 255), std::string(255, 'x'));
}

TEST(Text, NamesThatAreTooLongAreCutAndKeptApart) {
  EXPECT_EQ(fit_name("abc-def", 7, "12"), "abc-def");
  EXPECT_EQ(fit_name("abc-defg", 7, "12"), "abc-12");
  EXPECT_EQ(fit_name("abcdefgh", 7, "12"), "abcd-12");
}

TEST(Text, LowerCaseIsOfAsciiOnly) { EXPECT_EQ(lower_case("AZaz[@\xc3\x84"), "azaz[@\xc3\x84"); }

TEST(Files, ReplacedFileHasTheTextAndTheModeAndNothingIsLeftBeside) {
  const std::filesystem::path folder = ::testing::TempDir() + "files_" + std::to_string(random_id());
  std::filesystem::create_directory(folder);
  const std::string path = folder / "key";
  ASSERT_TRUE(replace_file(path, "old", 0600).ok());
  ASSERT_TRUE(replace_file(path, "new", 0600).ok());
  EXPECT_EQ(read_file(path).value(), "new");
  using std::filesystem::perms;
  EXPECT_EQ(std::filesystem::status(path).permissions(), perms::owner_read | perms::owner_write);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
  std::filesystem::remove_all(folder);
}

TEST(Files, ErrorsNameTheFile) {
  EXPECT_THAT(read_file("/none/there").error().message(), HasSubstr("/none/there"));
  EXPECT_THAT(replace_file("/none/there", "", 0600).message(), HasSubstr("/none/there"));
  const Descriptor full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full.open());
  EXPECT_THAT(write_all(full.get(), "text", "the disk").message(), HasSubstr("cannot write the disk"));
}

TEST(Log, LinesWaitForTheFlushThatWasPromised) {
  Logger log = Logger::to_stderr(LogLevel::kInfo);
  int promised = 0;
  log.flush_later([&] { return ++promised > 0; });
  ::testing::internal::CaptureStderr();
  log.info("one");
  log.info("two");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(promised, 1);
  ::testing::internal::CaptureStderr();
  log.flush();
  log.info("three");
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), AllOf(HasSubstr("\"one\""), HasSubstr("\"two\"")));
  EXPECT_EQ(promised, 2);
  ::testing::internal::CaptureStderr();
  log.warn("four");
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), AllOf(HasSubstr("\"three\""), HasSubstr("\"four\"")));
}

TEST(Log, WithoutAPromiseLinesLeaveAtOnce) {
  Logger log = Logger::to_stderr(LogLevel::kInfo);
  log.flush_later([] { return false; });
  ::testing::internal::CaptureStderr();
  log.info("one");
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("\"one\""));
}

TEST(Log, ManyLinesDoNotWait) {
  Logger log = Logger::to_stderr(LogLevel::kInfo);
  log.flush_later([] { return true; });
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 100; ++i) log.info(std::string(1000, 'x'));
  EXPECT_GT(::testing::internal::GetCapturedStderr().size(), 60'000U);
  ::testing::internal::CaptureStderr();
  log.flush();
  EXPECT_LT(::testing::internal::GetCapturedStderr().size(), 40'000U);
}

TEST(Log, WritesFieldsAsJsonAndEscapes) {
  std::vector<std::string> lines;
  const Logger log = Logger::to_vector(&lines).with("module", "proxy");
  log.info("say \"hi\"\n", {{"agent_id", 7}, {"ok", true}, {"name", std::string("a")}});
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0], R"("say \"hi\"\u000a","module":"proxy","agent_id":7,"ok":true,"name":"a")");
}

TEST(Log, DropsLinesBelowItsLevel) {
  std::vector<std::string> lines;
  Logger log = Logger::to_vector(&lines, LogLevel::kWarn);
  log.info("no");
  log.warn("yes");
  log.set_level(LogLevel::kDebug);
  log.debug("yes too");
  EXPECT_EQ(lines.size(), 2U);
}

}  // namespace
}  // namespace towline
