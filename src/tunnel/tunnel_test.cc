// Both ends of the reverse tunnel over an HTTP/2 connection in memory.
#include <algorithm>
#include <atomic>
#include <functional>
#include <future>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tunnel/test_tunnel.h"

namespace towline::tunnel {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(TunnelTest, ACallPassesBothWays) {
  start();
  AgentConnection& agent = connect();
  auto caller = call();
  caller->call->send(grpc::message_view("ping"));
  settle();
  ASSERT_EQ(agent.served.size(), 1U);
  Served& served = *agent.served[0];
  EXPECT_EQ(served.in.method, kMethod);
  EXPECT_EQ(served.in.metadata.get("x-meta"), "1");
  EXPECT_THAT(served.messages, ElementsAre("ping"));
  served.in.call->send_metadata({{"x-head", "h"}});
  served.in.call->send(grpc::message_view("pong"));
  served.in.call->send(grpc::message_view(""));
  settle();
  EXPECT_EQ(caller->metadata.get("x-head"), "h");
  EXPECT_THAT(caller->messages, ElementsAre("pong", ""));
  caller->call->half_close();
  settle();
  EXPECT_TRUE(served.half_closed);
  served.in.call->finish(Status(), {{"x-trailer", "t"}});
  settle();
  ASSERT_TRUE(caller->status.has_value());
  EXPECT_TRUE(caller->status->ok()) << caller->status->to_string();
  EXPECT_EQ(caller->trailers.get("x-trailer"), "t");
  EXPECT_EQ(router->counts().busy_tunnels, 0U);
  EXPECT_EQ(agent.tunnels->busy(), 0U);
}

TEST_F(TunnelTest, ErrorsOfTheAgentArriveWithCodeAndMessage) {
  start();
  AgentConnection& agent = connect();
  auto early = call();
  settle();
  agent.served[0]->in.call->finish(Status(Code::kPermissionDenied, "no"));
  settle();
  EXPECT_EQ(early->status, Status(Code::kPermissionDenied, "no"));
  auto late = call();
  settle();
  agent.served[1]->in.call->send(grpc::message_view("some"));
  agent.served[1]->in.call->finish(Status(Code::kDataLoss, "lost"));
  settle();
  EXPECT_THAT(late->messages, ElementsAre("some"));
  EXPECT_EQ(late->status, Status(Code::kDataLoss, "lost"));
}

TEST_F(TunnelTest, AnAgentThatIsNotConnectedIsAnsweredAtOnce) {
  start();
  auto caller = call();
  EXPECT_FALSE(caller->status.has_value());  // not from inside call()
  settle();
  ASSERT_TRUE(caller->status.has_value());
  EXPECT_EQ(caller->status->code(), Code::kNotFound);
}

TEST_F(TunnelTest, AMethodThatNoTunnelOffersIsUnimplemented) {
  start();
  connect();
  auto caller = call(7, "/test.Service/Other");
  settle();
  EXPECT_EQ(caller->status->code(), Code::kUnimplemented);
}

TEST_F(TunnelTest, StreamsAreOpenedAheadOfNeedAndRetiredWhenIdle) {
  start();
  AgentConnection& agent = connect({.min_idle = 2, .step = 10});
  EXPECT_EQ(agent.tunnels->idle(), 10U);
  EXPECT_EQ(router->counts().idle_tunnels, 10U);
  std::vector<std::unique_ptr<Caller>> callers;
  for (int i = 0; i < 9; ++i) callers.push_back(call());
  settle();
  EXPECT_EQ(agent.tunnels->idle(), 11U);  // 1 left, 10 more
  EXPECT_EQ(agent.tunnels->busy(), 9U);
  clock.advance(seconds(61));
  settle();
  EXPECT_EQ(agent.tunnels->idle(), 2U);
  EXPECT_EQ(router->counts().idle_tunnels, 2U);
  EXPECT_EQ(router->counts().busy_tunnels, 9U);
}

TEST_F(TunnelTest, ACallWaitsForATunnelAndThenGivesUp) {
  start({.wait = seconds(20)});
  AgentConnection& agent = connect({.min_idle = 1, .step = 1, .max_streams = 1});
  auto first = call();
  auto second = call();
  second->call->send(grpc::message_view("early"));
  settle();
  EXPECT_EQ(agent.served.size(), 1U);
  EXPECT_EQ(router->counts().waiting_calls, 1U);
  agent.served[0]->in.call->finish(Status());
  settle();
  ASSERT_EQ(agent.served.size(), 2U);
  EXPECT_THAT(agent.served[1]->messages, ElementsAre("early"));
  auto third = call();
  clock.advance(seconds(21));
  settle();
  ASSERT_TRUE(third->status.has_value());
  EXPECT_EQ(third->status->code(), Code::kUnavailable);
  EXPECT_EQ(router->counts().waiting_calls, 0U);
}

TEST_F(TunnelTest, ACallerThatGivesUpWaitingIsForgotten) {
  start();
  AgentConnection& agent = connect({.min_idle = 1, .step = 1, .max_streams = 1});
  auto first = call();
  auto second = call();
  settle();
  second.reset();
  EXPECT_EQ(router->counts().waiting_calls, 0U);
  agent.served[0]->in.call->finish(Status());
  settle();
  EXPECT_EQ(agent.served.size(), 1U);
  EXPECT_EQ(router->counts().idle_tunnels, 1U);
}

TEST_F(TunnelTest, TheLimitOfCallsPerAgentIsKept) {
  start({.max_calls_per_agent = 3});
  connect();
  std::vector<std::unique_ptr<Caller>> callers;
  for (int i = 0; i < 4; ++i) callers.push_back(call());
  settle();
  ASSERT_TRUE(callers[3]->status.has_value());
  EXPECT_EQ(callers[3]->status->code(), Code::kResourceExhausted);
  callers[0].reset();
  auto next = call();
  settle();
  EXPECT_FALSE(next->status.has_value());
}

TEST_F(TunnelTest, ACancelledCallIsCancelledAtTheAgent) {
  start();
  AgentConnection& agent = connect();
  auto caller = call();
  settle();
  caller.reset();
  settle();
  EXPECT_TRUE(agent.served[0]->cancelled.has_value());
  EXPECT_EQ(router->counts().busy_tunnels, 0U);
  EXPECT_EQ(agent.tunnels->busy(), 0U);
}

TEST_F(TunnelTest, ACallMayBeDroppedInItsCallbacks) {
  start();
  AgentConnection& agent = connect();
  auto caller = call();
  caller->after_message = [&] { caller->call.reset(); };
  settle();
  agent.served[0]->in.call->send(grpc::message_view("one"));
  agent.served[0]->in.call->send(grpc::message_view("two"));
  settle();
  EXPECT_THAT(caller->messages, ElementsAre("one"));
  EXPECT_TRUE(agent.served[0]->cancelled.has_value());
}

TEST_F(TunnelTest, ALostConnectionFailsItsCallsAtOnce) {
  start();
  AgentConnection& agent = connect();
  auto caller = call();
  settle();
  agent.connection.reset();
  settle();
  ASSERT_TRUE(caller->status.has_value());
  EXPECT_EQ(caller->status->code(), Code::kUnavailable);
  EXPECT_THAT(caller->status->message(), HasSubstr("lost"));
  EXPECT_EQ(router->counts().agents, 0U);
  EXPECT_FALSE(router->connected(7));
}

TEST_F(TunnelTest, WaitingCallsFailWhenTheAgentGoes) {
  start();
  AgentConnection& agent = connect({.min_idle = 1, .step = 1, .max_streams = 1});
  auto first = call();
  auto second = call();
  settle();
  agent.connection.reset();
  settle();
  ASSERT_TRUE(second->status.has_value());
  EXPECT_EQ(second->status->code(), Code::kUnavailable);
}

TEST_F(TunnelTest, DrainingFinishesRunningCallsAndRefusesNewOnesSafely) {
  start();
  AgentConnection& agent = connect();
  auto running = call();
  settle();
  bool drained = false;
  agent.tunnels->drain([&] { drained = true; });
  // A call that is sent to a retiring tunnel before the server learns of it.
  auto late = call();
  settle();
  ASSERT_TRUE(late->status.has_value());
  EXPECT_EQ(late->status->code(), Code::kAborted);
  EXPECT_FALSE(drained);
  agent.served[0]->in.call->finish(Status());
  settle();
  EXPECT_TRUE(running->status->ok());
  EXPECT_TRUE(drained);
  EXPECT_EQ(agent.served.size(), 1U);
}

TEST_F(TunnelTest, AWrongTokenIsRefusedAndNotHammered) {
  start();
  AgentConnection& agent = connect({}, "bad");
  EXPECT_EQ(agent.tunnels->idle(), 0U);
  EXPECT_FALSE(router->connected(7));
  clock.advance(milliseconds(500));
  settle();
  EXPECT_EQ(agent.tunnels->idle(), 0U);
}

TEST_F(TunnelTest, AServerThatWantsNoStreamsIsNotHammered) {
  int streams = 0;
  server.add(method::kConnect, [&](const grpc::IncomingCall& call) {
    ++streams;
    call.call->finish({}, {});
  });
  AgentConnection& agent = connect({.min_idle = 2, .step = 2});
  settle();
  EXPECT_EQ(streams, 2);
  EXPECT_EQ(agent.tunnels->idle(), 0U);
  clock.advance(std::chrono::seconds(1));
  settle();
  EXPECT_EQ(streams, 4);
}

TEST_F(TunnelTest, RevokingATokenEndsItsTunnelsAndCalls) {
  start();
  connect();
  auto caller = call();
  settle();
  router->disconnect(7, 71);  // another token
  settle();
  EXPECT_FALSE(caller->status.has_value());
  router->disconnect(7, 70);
  settle();
  ASSERT_TRUE(caller->status.has_value());
  EXPECT_EQ(caller->status->code(), Code::kUnavailable);
  EXPECT_FALSE(router->connected(7));  // the connection is gone, not only what ran on it
}

TEST_F(TunnelTest, ACallerThatDoesNotReadStopsTheAgent) {
  start();
  AgentConnection& agent = connect();
  auto caller = call();
  caller->consume = false;
  settle();
  Served& served = *agent.served[0];
  const std::string block(16 * 1024, 'x');
  for (int i = 0; i < 512; ++i) served.in.call->send(grpc::message_view(block));
  settle();
  EXPECT_LE(caller->bytes, 1024U * 1024);
  EXPECT_GT(served.in.call->unsent(), 6U * 1024 * 1024);
  caller->consume = true;
  caller->call->consume(caller->bytes);
  settle();
  EXPECT_EQ(caller->bytes, 512 * block.size());
}

TEST_F(TunnelTest, AnAgentThatDoesNotReadStopsTheCaller) {
  start();
  AgentConnection& agent = connect();
  agent.on_call = [](Served& served) { served.consume = false; };
  auto caller = call();
  const std::string block(16 * 1024, 'x');
  for (int i = 0; i < 512; ++i) caller->call->send(grpc::message_view(block));
  settle();
  EXPECT_LE(agent.served[0]->bytes, 1024U * 1024);
  EXPECT_GT(caller->call->unsent(), 6U * 1024 * 1024);
}

TEST_F(TunnelTest, ManyCallsAtOnceAllPass) {
  start();
  AgentConnection& agent = connect();
  std::vector<std::unique_ptr<Caller>> callers;
  for (int i = 0; i < 3000; ++i) callers.push_back(call());
  settle();
  EXPECT_EQ(agent.served.size(), 3000U);
  for (auto& served : agent.served) served->in.call->finish(Status());
  settle();
  EXPECT_TRUE(std::ranges::all_of(callers, [](const auto& c) { return c->status && c->status->ok(); }));
}

// Callers on one loop, the agent's connection on another.
TEST(TunnelAcrossLoops, CallsPassAndCancelledOnesLeaveNothing) {
  SystemClock clock;
  io::LoopGroup loops(2, clock);
  grpc::Server server;
  auto router = Router::create({}, authenticate(), Logger());
  server.add(method::kConnect, router->connect_handler());
  std::unique_ptr<AgentConnection> agent;
  std::promise<void> connected;
  loops.at(1).post([&] {
    agent = std::make_unique<AgentConnection>(loops.at(1), server, "good");
    agent->on_call = [](Served& served) {
      served.in.call->send(grpc::message_view(std::string(20'000, 'a')));
      served.in.call->finish(Status());
    };
    connected.set_value();
  });
  connected.get_future().get();
  while (!router->connected(7)) std::this_thread::yield();

  constexpr int kCalls = 2000;
  std::atomic<int> finished = 0;
  std::atomic<int> good = 0;
  std::promise<void> done;
  std::vector<std::unique_ptr<Caller>> callers(kCalls);
  std::minstd_rand random(1);
  loops.at(0).post([&] {
    for (int i = 0; i < kCalls; ++i) {
      callers[i] = std::make_unique<Caller>();
      Caller& caller = *callers[i];
      const bool cancel = random() % 4 == 0;
      const auto end = [&] {
        if (++finished == kCalls) done.set_value();
      };
      caller.after_finish = [&caller, &good, end] {
        if (caller.status->ok() && caller.bytes == 20'000) ++good;
        end();
      };
      caller.call = router->call(loops.at(0), 7, std::string(kMethod), {}, &caller);
      caller.call->send(grpc::message_view("request"));
      caller.call->half_close();
      if (cancel) {
        ++good;
        loops.at(0).post([&caller, end] {
          if (caller.status) return;
          caller.call.reset();
          end();
        });
      }
    }
  });
  done.get_future().get();
  // Cancellations cross to the agent's loop and come back as streams that are over.
  while (router->counts().busy_tunnels > 0 || router->counts().waiting_calls > 0) std::this_thread::yield();
  EXPECT_GE(good, kCalls);
  std::promise<void> cleared;
  loops.at(0).post([&] {
    callers.clear();
    cleared.set_value();
  });
  cleared.get_future().get();
  loops.join();
  agent.reset();
}

}  // namespace
}  // namespace towline::tunnel
