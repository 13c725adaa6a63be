#include "modules/kubernetes_api/server/proxy.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "modules/kubernetes_api/server/proxy_test_support.h"

namespace towline::kubernetes_api {
namespace {

TEST_F(ProxyTest, AnswersAWrongAnswerOfTheAgentBy502BeforeAnythingIsSent) {
  for (const int status : {0, 101, 199, 600, 2147483647}) {
    Client& client = ask();
    answer(status);
    ASSERT_TRUE(client.head) << status;
    EXPECT_EQ(client.head->status, 502) << status;
    EXPECT_TRUE(client.ended);
    EXPECT_FALSE(client.reset);
  }
}

TEST_F(ProxyTest, SaysThatTheAgentsHopHasTooLittleRoomBy502) {
  Client& client = ask();
  tunnels_->calls[0]->handler->on_finish(
      Status(Code::kResourceExhausted, "agentk: Kubernetes API: head too large"), {});
  EXPECT_EQ(client.head->status, 502);
  EXPECT_FALSE(client.head->headers.has("retry-after"));
}

TEST_F(ProxyTest, DeliversWhatCameOfAnAnswerThatBreaksOffAndThenCutsIt) {
  Client& client = ask();
  answer();
  deliver(data("the beginning"));
  tunnels_->calls[0]->handler->on_finish(Status(Code::kUnavailable, "agentk: the connection broke"), {});
  settle();
  EXPECT_FALSE(client.reset);
  EXPECT_EQ(client.body, "the beginning");
  client.unsent = 0;
  client.handler->on_sent(13);
  EXPECT_TRUE(client.reset);
  EXPECT_FALSE(client.ended);
  EXPECT_TRUE(client.gone);
  EXPECT_THAT(log(), HasSubstr("broke off"));
}

TEST_F(ProxyTest, CutsAnAnswerThatBreaksOffAndIsNotRead) {
  Client& client = ask();
  answer();
  deliver(data("x"));
  tunnels_->calls[0]->handler->on_finish(Status(Code::kUnavailable, ""), {});
  pass(seconds(31), seconds(1));
  EXPECT_TRUE(client.gone);
}

TEST_F(ProxyTest, MakesACallThatTheAgentDidNotLookAtOnceMore) {
  tunnels_->refusal = Status(Code::kAborted, "retired");
  Client& client = ask();
  pass(seconds(1));
  EXPECT_EQ(tunnels_->calls.size(), 2U);
  EXPECT_EQ(client.head->status, 503);
}

TEST_F(ProxyTest, LetsThePeerPauseOnceItIsKnown) {
  plane_.access = fail(Code::kUnauthenticated, "no");
  EXPECT_FALSE(ask().may_pause);
  plane_.access = control::Access{};
  ++plane_.generation;
  EXPECT_TRUE(ask().may_pause);
}

TEST_F(ProxyTest, AsksLittleAboutWrongTokens) {
  plane_.access = fail(Code::kUnauthenticated, "no such token");
  for (int i = 0; i < 200; ++i) EXPECT_EQ(ask().head->status, 401);
  EXPECT_EQ(plane_.asked, 1);
  for (int i = 0; i < 200; ++i) ask("/version", "", "pat:7:guess" + std::to_string(i));
  EXPECT_EQ(plane_.asked, 100);
  EXPECT_EQ(clients_.back()->head->status, 429);
  EXPECT_TRUE(clients_.back()->head->headers.has("retry-after"));
}

// --- rights of what runs ---

TEST_F(ProxyTest, EndsRunningAndWaitingRequestsWithinTwoSecondsOfARevocation) {
  Client& running = ask();
  answer();
  Client& upgraded = ask("/exec", "SPDY/3.1");
  answer(101);
  Client& waiting = ask();
  plane_.access = fail(Code::kUnauthenticated, "the token was revoked");
  ++plane_.generation;
  pass(seconds(2));
  EXPECT_TRUE(running.reset);
  EXPECT_TRUE(upgraded.reset);
  EXPECT_EQ(waiting.head->status, 401);
  EXPECT_TRUE(running.gone && upgraded.gone && waiting.gone);
  for (const auto& call : tunnels_->calls) EXPECT_TRUE(call->over);
  EXPECT_EQ(plane_.asked, 2) << "one question for all requests of a credential";
}

TEST_F(ProxyTest, EndsRequestsWhenTheirCredentialExpires) {
  plane_.access = control::Access{.expires_at = clock_.wall() + seconds(5)};
  Client& client = ask();
  answer();
  pass(seconds(4));
  EXPECT_FALSE(client.reset);
  pass(seconds(3));
  EXPECT_TRUE(client.reset);
}

TEST_F(ProxyTest, EndsRequestsThatWouldRunAsSomebodyElseNow) {
  Client& client = ask();
  answer();
  plane_.access = control::Access{.as = control::Impersonation{.username = "ada"}};
  ++plane_.generation;
  pass(seconds(2));
  EXPECT_TRUE(client.reset);
}

TEST_F(ProxyTest, LetsRequestsRunWhileNothingThatConcernsThemChanges) {
  Client& client = ask();
  answer();
  pass(seconds(10));
  EXPECT_EQ(plane_.asked, 1);
  for (int i = 0; i < 3; ++i) {
    ++plane_.generation;
    pass(seconds(2));
  }
  plane_.access = fail(Code::kUnavailable, "the database is not there");
  ++plane_.generation;
  pass(seconds(3));
  EXPECT_FALSE(client.reset);
  plane_.access = fail(Code::kPermissionDenied, "no");
  pass(seconds(2));
  EXPECT_TRUE(client.reset);
}

// --- agents that are away ---

TEST_F(ProxyTest, WaitsForAnAgentThatWasConnectedAMomentAgo) {
  plane_.last_seen = clock_.wall();
  tunnels_->refusal = Status(Code::kNotFound, "not connected");
  Client& client = ask();
  pass(seconds(2));
  EXPECT_FALSE(client.head);
  EXPECT_EQ(tunnels_->calls.size(), 1U);
  tunnels_->refusal.reset();
  pass(seconds(1));
  ASSERT_EQ(tunnels_->calls.size(), 2U);
  answer();
  EXPECT_EQ(client.head->status, 200);
}

TEST_F(ProxyTest, WhichGetsTheBodyThatCameMeanwhile) {
  plane_.last_seen = clock_.wall();
  tunnels_->refusal = Status(Code::kNotFound, "not connected");
  Client& client = ask("/x", "", "pat:7:secret", true);
  client.handler->on_body(grpc::message_view("the body"));
  client.handler->on_end({});
  pass(seconds(1));
  EXPECT_EQ(tunnels_->calls.size(), 0U);
  tunnels_->refusal.reset();
  pass(seconds(1));
  ASSERT_EQ(tunnels_->calls.size(), 1U);
  EXPECT_THAT(tunnels_->calls[0]->sent, HasSubstr("the body"));
  answer();
  EXPECT_EQ(client.head->status, 200);
}

TEST_F(ProxyTest, ButNotForEver) {
  plane_.last_seen = clock_.wall();
  tunnels_->refusal = Status(Code::kNotFound, "not connected");
  Client& client = ask();
  pass(seconds(6));
  EXPECT_EQ(client.head->status, 503);
  EXPECT_TRUE(client.head->headers.has("retry-after"));
  EXPECT_THAT(client.body, HasSubstr("is not connected; it was last seen at"));
}

TEST_F(ProxyTest, AndNotForOneThatWasAwayAlready) {
  tunnels_->refusal = Status(Code::kNotFound, "not connected");
  Client& never = ask();
  EXPECT_EQ(never.head->status, 503);
  EXPECT_THAT(never.body, HasSubstr("it has never connected"));
  plane_.last_seen = clock_.wall() - seconds(3600);
  EXPECT_EQ(ask().head->status, 503);
}

// --- the log ---

TEST_F(ProxyTest, LogsNothingOfStrangersButCountsThem) {
  EXPECT_EQ(ask("/x", "", "").head->status, 401);
  EXPECT_EQ(ask("/x", "", "nonsense").head->status, 401);
  plane_.access = fail(Code::kUnauthenticated, "wrong");
  EXPECT_EQ(ask("/x").head->status, 401);
  EXPECT_EQ(log(), "");
  ASSERT_EQ(seen_.size(), 3U);
  for (const auto& seen : seen_) EXPECT_TRUE(seen.stranger);
}

TEST_F(ProxyTest, LogsTheBeginningOfALongPath) {
  ask("/" + std::string(100'000, 'x') + "?y");
  answer();
  deliver(std::string(kTrailerMessage));
  tunnels_->calls[0]->handler->on_finish(Status(), {});
  EXPECT_THAT(log(), HasSubstr("xxxx"));
  EXPECT_LT(log().size(), 1000U);
  EXPECT_GT(tunnels_->calls[0]->sent.size(), 100'000U);
}

}  // namespace
}  // namespace towline::kubernetes_api
