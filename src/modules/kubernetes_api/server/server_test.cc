#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "modules/kubernetes_api/server/access_cache.h"
#include "modules/kubernetes_api/server/credentials.h"
#include "modules/kubernetes_api/server/status_reply.h"
#include "modules/kubernetes_api/server/strangers.h"

namespace towline::kubernetes_api {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

TEST(AccessCache, ForgetsAfterItsTimeAndWithEachChange) {
  FakeClock clock;
  AccessCache cache(clock, seconds(10), 100);
  const Secret token("t");
  cache.put(1, token, 5, std::make_shared<CachedAccess>());
  EXPECT_NE(cache.find(1, token, 5), nullptr);
  EXPECT_EQ(cache.find(2, token, 5), nullptr);
  EXPECT_EQ(cache.find(1, Secret("u"), 5), nullptr);
  EXPECT_EQ(cache.find(1, token, 6), nullptr);
  cache.put(1, token, 6, std::make_shared<CachedAccess>());
  clock.advance(seconds(10));
  EXPECT_EQ(cache.find(1, token, 6), nullptr);
}

TEST(Strangers, AreAskedForAgainAfterAChangeAndAfterAMinute) {
  FakeClock clock;
  Strangers strangers(clock);
  const Secret token("t");
  const Status wrong(Code::kUnauthenticated, "no such token");
  const char* const peer = "192.0.2.1:5";
  EXPECT_FALSE(strangers.refusal(1, token, 1, peer));
  strangers.wrong(1, token, 1, peer, wrong);
  EXPECT_EQ(strangers.refusal(1, token, 1, "198.51.100.7:1"), wrong);
  EXPECT_FALSE(strangers.refusal(1, token, 2, peer)) << "its user may be let in again";
  EXPECT_FALSE(strangers.refusal(2, token, 1, peer));
  clock.advance(std::chrono::seconds(61));
  EXPECT_FALSE(strangers.refusal(1, token, 1, peer));
}

TEST(Strangers, ManyGuessesShutOutNobodyElse) {
  FakeClock clock;
  Strangers strangers(clock);
  const Status wrong(Code::kUnauthenticated, "no such token");
  // One wrong token that comes all the time, through every change, is one guess.
  for (std::uint64_t i = 0; i < 1000; ++i) strangers.wrong(1, Secret("expired"), i, "192.0.2.1:5", wrong);
  EXPECT_FALSE(strangers.refusal(1, Secret("good"), 1, "192.0.2.1:6"));
  strangers.right(1, Secret("good"));
  for (int i = 0; i < 100; ++i)
    strangers.wrong(1, Secret("guess" + std::to_string(i)), 1, "192.0.2.1:5", wrong);
  EXPECT_EQ(strangers.refusal(1, Secret("other"), 1, "192.0.2.1:7")->code(), Code::kResourceExhausted);
  EXPECT_FALSE(strangers.refusal(1, Secret("other"), 1, "192.0.2.2:7"));
  EXPECT_FALSE(strangers.refusal(1, Secret("good"), 2, "192.0.2.1:6")) << "whatever has changed meanwhile";
}

TEST(AccessCache, DoesNotOutliveTheCredential) {
  FakeClock clock;
  AccessCache cache(clock, seconds(10), 100);
  auto expiring = std::make_shared<CachedAccess>();
  expiring->access.expires_at = clock.wall() + seconds(3);
  cache.put(1, Secret("t"), 1, expiring);
  clock.advance(seconds(2));
  EXPECT_NE(cache.find(1, Secret("t"), 1), nullptr);
  clock.advance(seconds(1));
  EXPECT_EQ(cache.find(1, Secret("t"), 1), nullptr);
}

TEST(Credential, IsTakenApart) {
  const auto credential = parse_credential("Bearer pat:7:glpat-abc:def");
  ASSERT_TRUE(credential.has_value());
  EXPECT_EQ(credential->agent_id, 7);
  EXPECT_TRUE(credential->token.equals("glpat-abc:def"));
}

TEST(Credential, IsRefusedWithWhatWasExpectedAndWithoutTheToken) {
  for (const char* bad : {"Basic abc", "Bearer", "Bearer abc", "Bearer pat:7", "Bearer pat:x:secret",
                          "Bearer pat:-1:secret", "Bearer pat:7:", "Bearer job:7:secret"}) {
    const auto credential = parse_credential(bad);
    ASSERT_FALSE(credential.has_value()) << bad;
    EXPECT_EQ(credential.error().code(), Code::kUnauthenticated);
    EXPECT_THAT(credential.error().message(), HasSubstr("pat:<agent id>"));
    EXPECT_THAT(credential.error().message(), testing::Not(HasSubstr("secret")));
  }
}

TEST(Credential, AndAllThatIsForTheServerLeavesTheRequest) {
  http::RequestHead head;
  head.headers = {
      {"authorization", "Bearer pat:7:t"}, {"cookie", "a=b"}, {"x-csrf-token", "c"}, {"accept", "x"}};
  ASSERT_TRUE(take_credential(head).has_value());
  ASSERT_EQ(head.headers.size(), 1U);
  EXPECT_EQ(head.headers.at(0).name, "accept");
}

TEST(StatusReply, IsAKubernetesStatus) {
  const std::string json = status_json({429, "busy", 1});
  EXPECT_THAT(json, HasSubstr(R"("kind":"Status")"));
  EXPECT_THAT(json, HasSubstr(R"("message":"kas: busy")"));
  EXPECT_THAT(json, HasSubstr(R"("reason":"TooManyRequests")"));
  EXPECT_THAT(json, HasSubstr(R"("code":429)"));
}

TEST(StatusReply, TellsTheHopsApart) {
  EXPECT_EQ(error_for(Status(Code::kUnavailable, "agentk: x")).http_status, 502);
  EXPECT_EQ(error_for(Status(Code::kNotFound, "x")).http_status, 503);
  EXPECT_EQ(error_for(Status(Code::kDeadlineExceeded, "x")).http_status, 504);
  EXPECT_EQ(error_for(Status(Code::kResourceExhausted, "x")).retry_after_seconds, 1);
}

}  // namespace
}  // namespace towline::kubernetes_api
