#include "control/agent_authenticator.h"

#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/clock.h"
#include "control/agent_token_watch.h"
#include "control/test_agents.h"
#include "io/loop.h"

namespace towline::control {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class AuthenticatorTest : public ::testing::Test {
 protected:
  using Method = AgentAuthenticator::Method;

  void start(const std::string& token, Method method = Method::kTunnel,
             const std::string& peer = "192.0.2.1:5") {
    answer.reset();
    authenticator.authenticate({.loop = loop, .peer = peer, .connection = connection},
                               {{"authorization", "Bearer " + token}}, method,
                               [this](auto result) { answer = std::move(result); });
  }
  Code ask(const std::string& token, Method method = Method::kTunnel,
           const std::string& peer = "192.0.2.1:5") {
    start(token, method, peer);
    settle();
    if (!answer) return Code::kUnknown;
    return *answer ? Code::kOk : answer->error().code();
  }
  void settle() {
    while (loop.poll() > 0) {
    }
  }

  FakeClock clock;
  io::Loop loop{clock};
  FakeAgents backend;
  AgentAuthenticator authenticator{backend, clock, {.per_minute = 10, .max_connections = 3}};
  std::shared_ptr<int> connection = std::make_shared<int>();
  std::optional<Result<AdmittedAgent>> answer;
};

TEST_F(AuthenticatorTest, ATokenIsAskedForOnceAndEndsWhenItIsRevoked) {
  EXPECT_EQ(ask("t1"), Code::kOk);
  const auto ended = (*answer)->ended;
  EXPECT_EQ(ask("t1"), Code::kOk);
  EXPECT_EQ(backend.asked, 1);
  EXPECT_FALSE(ended->load());
  backend.revoke(1);
  EXPECT_TRUE(ended->load());
  EXPECT_EQ(ask("t1"), Code::kUnauthenticated);
}

TEST_F(AuthenticatorTest, AnAnswerFromBeforeARevocationIsAskedForAgain) {
  backend.hold = true;
  start("t1");
  backend.revoke(1);
  backend.hold = false;
  backend.held[0]();  // "it is good", said before the revocation
  settle();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->error().code(), Code::kUnauthenticated);
  EXPECT_EQ(backend.asked, 2);
}

TEST_F(AuthenticatorTest, AControlPlaneThatDoesNotAnswerIsNotWaitedForWithoutEnd) {
  backend.hold = true;
  EXPECT_EQ(ask("t1"), Code::kUnknown);
  clock.advance(seconds(11));
  settle();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->error().code(), Code::kUnavailable);
}

TEST_F(AuthenticatorTest, ConnectionsOfATokenAreCounted) {
  std::vector<std::shared_ptr<int>> connections;
  for (int i = 0; i < 3; ++i) {
    connection = connections.emplace_back(std::make_shared<int>());
    EXPECT_EQ(ask("t1"), Code::kOk);
    EXPECT_EQ(ask("t1"), Code::kOk);
  }
  connection = std::make_shared<int>();
  EXPECT_EQ(ask("t1"), Code::kResourceExhausted);
  EXPECT_EQ(ask("t2"), Code::kOk);
  connections.pop_back();
  EXPECT_EQ(ask("t1"), Code::kOk);
}

TEST_F(AuthenticatorTest, NewConnectionsAndCallsHaveALimitOfAMinute) {
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(ask("t1", Method::kRegistration), Code::kOk);
    EXPECT_EQ(ask("t1", Method::kConfiguration), Code::kOk);
  }
  EXPECT_EQ(ask("t1", Method::kRegistration), Code::kResourceExhausted);
  EXPECT_EQ(ask("t1", Method::kConfiguration), Code::kResourceExhausted);
  EXPECT_EQ(ask("t1", Method::kTunnel), Code::kOk);
  for (int i = 0; i < 9; ++i) {
    connection = std::make_shared<int>();
    EXPECT_EQ(ask("t1"), Code::kOk);
  }
  connection = std::make_shared<int>();
  EXPECT_EQ(ask("t1"), Code::kResourceExhausted);
  clock.advance(seconds(61));
  EXPECT_EQ(ask("t1", Method::kRegistration), Code::kOk);
}

TEST_F(AuthenticatorTest, GuessesAreCountedByAddressAndRepetitionsAreNone) {
  for (int i = 0; i < 500; ++i) EXPECT_EQ(ask("wrong"), Code::kUnauthenticated);
  EXPECT_EQ(backend.asked, 1);
  EXPECT_EQ(ask("t1"), Code::kOk);
  Code last = Code::kUnauthenticated;
  int guesses = 0;
  while (last == Code::kUnauthenticated && guesses < 1000) last = ask("guess" + std::to_string(++guesses));
  EXPECT_EQ(last, Code::kResourceExhausted);
  EXPECT_LE(guesses, 101);
  EXPECT_EQ(ask("t1"), Code::kOk);  // known already
  EXPECT_EQ(ask("t2", Method::kTunnel, "192.0.2.2:5"), Code::kOk);
}

TEST_F(AuthenticatorTest, TokensInUseAreThoseOfRunningCallsAndOfTheLastMinute) {
  EXPECT_EQ(ask("t1"), Code::kOk);
  auto running = (*answer)->ended;
  EXPECT_EQ(ask("t2"), Code::kOk);
  answer.reset();
  EXPECT_EQ(authenticator.tokens_in_use().size(), 2U);
  clock.advance(seconds(61));
  ASSERT_EQ(authenticator.tokens_in_use().size(), 1U);
  EXPECT_EQ(authenticator.tokens_in_use()[0].token_id, 1);
  running.reset();
  EXPECT_TRUE(authenticator.tokens_in_use().empty());
}

TEST_F(AuthenticatorTest, TheWatchEndsTokensThatEndedElsewhereAndLooksOnlyAfterChanges) {
  AgentTokenWatch watch(loop, backend, authenticator);
  watch.start();
  const auto turn = [&] {
    settle();
    clock.advance(milliseconds(500));
    settle();
  };
  EXPECT_EQ(ask("t1"), Code::kOk);
  const auto ended = (*answer)->ended;
  turn();
  EXPECT_EQ(backend.checked, 1);
  for (int i = 0; i < 5; ++i) turn();
  EXPECT_EQ(backend.checked, 1);
  backend.gone.insert({1, true});  // by another server
  ++backend.generation;
  turn();
  EXPECT_TRUE(ended->load());
  EXPECT_EQ(ask("t1"), Code::kUnauthenticated);
}

}  // namespace
}  // namespace towline::control
