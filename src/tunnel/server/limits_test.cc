// Agents that mean harm, and rights that end: the server's end of the tunnel against an agent that writes its
// own Connect streams.
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tunnel/test_tunnel.h"

namespace towline::tunnel {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

std::string descriptor(int services = 1, int methods = 1, const std::string& name = "Stream") {
  rpc::ConnectRequest request;
  auto& agent = *request.mutable_descriptor_()->mutable_agent_descriptor();
  for (int s = 0; s < services; ++s) {
    auto& service = *agent.add_services();
    service.set_name(s == 0 ? "test.Service" : "test.Service" + std::to_string(s));
    for (int m = 0; m < methods; ++m) {
      service.add_methods()->set_name(m == 0 ? name : name + std::to_string(m));
    }
  }
  return request.SerializeAsString();
}

std::string header_and(const std::string& data) {
  rpc::ConnectRequest request;
  request.mutable_header();
  if (!data.empty()) request.mutable_message()->set_data(data);
  return request.SerializeAsString();
}

std::string trailer() {
  rpc::ConnectRequest request;
  request.mutable_trailer();
  return request.SerializeAsString();
}

class TunnelLimits : public TunnelTest {
 protected:
  // A connection whose Connect streams are written by hand.
  struct Thief {
    Thief(io::Loop& loop, http::RequestHandler& server) {
      auto [a, b] = io::stream_pair(loop, 256 * 1024);
      near = http::serve_http2(loop, std::move(a), server, {}, [] {});
      far = http::connect_http2(loop, std::move(b), {}, [this](Status) { closed = true; });
      channel.emplace(loop, *far, grpc::ChannelOptions{.authority = "kas"});
    }
    std::unique_ptr<Caller> open() {
      auto stream = std::make_unique<Caller>();
      stream->call = channel->call(method::kConnect, {{"token", "good"}}, stream.get());
      return stream;
    }
    std::unique_ptr<http::ServerConnection> near;
    std::unique_ptr<http::ClientConnection> far;
    std::optional<grpc::Channel> channel;
    bool closed = false;
  };

  std::unique_ptr<Caller> open(const std::string& first = "") {
    auto stream = thief->open();
    if (!first.empty()) stream->call->send(grpc::message_view(first));
    settle();
    return stream;
  }
  void start_thief(RouterOptions options = {}) {
    start(options);
    thief = std::make_unique<Thief>(loop, server);
  }

  std::unique_ptr<Thief> thief;
};

TEST_F(TunnelLimits, AStreamThatKeepsItsDescriptorBackEndsWithItsToken) {
  start_thief();
  auto held = open();
  EXPECT_FALSE(held->status.has_value());
  EXPECT_FALSE(router->connected(7));
  router->disconnect(7, 70);
  settle();
  EXPECT_TRUE(held->status.has_value());
  EXPECT_TRUE(thief->closed);
}

TEST_F(TunnelLimits, ARevocationBetweenTheAnswerAndTheRegistryIsSeen) {
  auto ended = std::make_shared<std::atomic<bool>>(false);
  std::move_only_function<void(Result<TunnelOwner>)> answer;
  router = Router::create(
      {}, [&](auto&, const auto&, auto a) { answer = std::move(a); }, Logger());
  server.add(method::kConnect, router->connect_handler(), {.max_message = kMaxDescriptor, .guarded = true});
  thief = std::make_unique<Thief>(loop, server);
  auto stream = open(descriptor());
  ASSERT_TRUE(answer);
  // The control plane has said yes, then the token was revoked, and only now is the answer heard here.
  ended->store(true);
  router->disconnect(7, 70);
  answer(TunnelOwner{.agent_id = 7, .token_id = 70, .ended = ended});
  settle();
  EXPECT_TRUE(stream->status.has_value());
  EXPECT_TRUE(thief->closed);
  EXPECT_FALSE(router->connected(7));
}

TEST_F(TunnelLimits, ADescriptorHasToCome) {
  start_thief();
  auto held = open();
  auto offered = open(descriptor());
  clock.advance(seconds(11));
  settle();
  ASSERT_TRUE(held->status.has_value());
  EXPECT_EQ(held->status->code(), Code::kDeadlineExceeded);
  EXPECT_FALSE(offered->status.has_value());
}

TEST_F(TunnelLimits, DescriptorsAreOfReasonableSize) {
  start_thief();
  for (const std::string& bomb : {descriptor(kMaxServices + 1), descriptor(1, kMaxMethods + 1),
                                  descriptor(1, 1, std::string(kMaxDescriptor, 'x'))}) {
    auto stream = open(bomb);
    ASSERT_TRUE(stream->status.has_value());
    EXPECT_EQ(stream->status->code(), Code::kResourceExhausted) << stream->status->to_string();
  }
  auto largest = open(descriptor(kMaxServices, kMaxMethods / kMaxServices));
  EXPECT_FALSE(largest->status.has_value());
}

TEST_F(TunnelLimits, TheTunnelsThatWaitAreCountedDescribedOrNot) {
  start_thief({.max_idle_tunnels_per_agent = 3});
  std::vector<std::unique_ptr<Caller>> streams;
  for (int i = 0; i < 3; ++i) streams.push_back(open(i == 0 ? "" : descriptor()));
  auto fourth = open(descriptor());
  ASSERT_TRUE(fourth->status.has_value());
  EXPECT_EQ(fourth->status->code(), Code::kResourceExhausted);
  // One that carries a call waits no more.
  auto caller = call();
  settle();
  auto fifth = open(descriptor());
  EXPECT_FALSE(fifth->status.has_value());
  EXPECT_EQ(router->counts().idle_tunnels, 2U);
  EXPECT_EQ(router->counts().busy_tunnels, 1U);
  streams.clear();
  settle();
  EXPECT_EQ(router->counts().idle_tunnels, 1U);
}

TEST_F(TunnelLimits, AnAgentsTunnelsOfferFewDifferentThings) {
  start_thief({.max_offers_per_agent = 2});
  auto one = open(descriptor());
  auto same = open(descriptor());
  auto two = open(descriptor(2));
  auto three = open(descriptor(3));
  EXPECT_FALSE(two->status.has_value());
  ASSERT_TRUE(three->status.has_value());
  EXPECT_EQ(three->status->code(), Code::kResourceExhausted);
  two.reset();
  settle();
  auto again = open(descriptor(3));
  EXPECT_FALSE(again->status.has_value());
}

TEST_F(TunnelLimits, ACallGetsTheTunnelThatOffersItAndWaitersGoInTheirOrder) {
  start_thief();
  auto other = open(descriptor(1, 1, "Other"));
  auto plain = open(descriptor());
  auto first = call(7, "/test.Service/Other");
  auto second = call(7, "/test.Service/Other");
  auto third = call(7, "/test.Service/Other");
  settle();
  EXPECT_EQ(router->counts().waiting_calls, 2U);
  EXPECT_EQ(router->counts().idle_tunnels, 1U);
  second.reset();
  EXPECT_EQ(router->counts().waiting_calls, 1U);
  auto fourth = call(7, "/test.Service/Other");
  auto next = open(descriptor(1, 1, "Other"));
  next->call->send(grpc::message_view(header_and("")));
  next->call->send(grpc::message_view(trailer()));
  next->call->half_close();
  settle();
  EXPECT_TRUE(third->status.has_value());
  EXPECT_FALSE(fourth->status.has_value());
}

TEST_F(TunnelLimits, ACallerThatIsGoneFreesAnAgentThatReadsNothing) {
  start();
  AgentConnection& agent = connect();
  agent.on_call = [](Served& served) { served.consume = false; };
  auto caller = call();
  const std::string block(16 * 1024, 'x');
  for (int i = 0; i < 512; ++i) caller->call->send(grpc::message_view(block));
  settle();
  ASSERT_GT(caller->call->unsent(), 0U);
  caller.reset();
  settle();
  EXPECT_TRUE(agent.served[0]->cancelled.has_value());
  EXPECT_EQ(agent.tunnels->busy(), 0U);
}

TEST_F(TunnelLimits, AnAgentThatHasAnsweredNeedNotReadTheRest) {
  start_thief();
  auto stream = open(descriptor());
  stream->consume = false;
  auto caller = call();
  const std::string block(16 * 1024, 'x');
  for (int i = 0; i < 512; ++i) caller->call->send(grpc::message_view(block));
  settle();
  stream->call->send(grpc::message_view(header_and("")));
  stream->call->send(grpc::message_view(trailer()));
  stream->call->half_close();
  settle();
  EXPECT_TRUE(caller->status.has_value());
  EXPECT_TRUE(stream->status.has_value());
}

TEST_F(TunnelLimits, AnAgentThatDoesNotEndAnEndedCallIsResetAfterAWhile) {
  start_thief();
  auto stream = open(descriptor());
  auto caller = call();
  settle();
  stream->call->send(grpc::message_view(header_and("")));
  stream->call->send(grpc::message_view(trailer()));
  settle();
  EXPECT_FALSE(caller->status.has_value());
  clock.advance(seconds(31));
  settle();
  ASSERT_TRUE(caller->status.has_value());
  EXPECT_TRUE(caller->status->ok()) << caller->status->to_string();
  EXPECT_TRUE(stream->status.has_value());
  EXPECT_EQ(router->counts().busy_tunnels, 0U);
}

}  // namespace
}  // namespace towline::tunnel
