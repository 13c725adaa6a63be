#include "modules/configuration/server/configuration.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/clock.h"
#include "control/test_agents.h"
#include "grpc/client.h"
#include "grpc/server.h"
#include "http/client.h"
#include "http/server.h"
#include "io/loop.h"
#include "io/pair.h"
#include "proto/agent_configuration.pb.h"
#include "proto/agentcfg.pb.h"
#include "proto/methods.h"

namespace towline::configuration {
namespace {

namespace rpc = ::gitlab::agent::agent_configuration::rpc;

struct Call final : grpc::ClientCallHandler {
  void on_message(grpc::MessageView message) override { messages.emplace_back(grpc::text_view(message)); }
  void on_finish(Status s, grpc::Metadata) override { status = std::move(s); }
  std::unique_ptr<grpc::ClientCall> call;
  std::vector<std::string> messages;
  std::optional<Status> status;
};

class ConfigurationTest : public ::testing::Test {
 protected:
  ConfigurationTest() {
    backend.configuration.commit_id = "abc";
    backend.configuration.file = std::make_shared<::gitlab::agent::agentcfg::ConfigurationFile>();
    server.add(method::kGetConfiguration, configuration->handler(),
               {.max_message = kMaxRequest, .guarded = true});
    auto [a, b] = io::stream_pair(loop);
    near = http::serve_http2(loop, std::move(a), server, {}, [] {});
    far = http::connect_http2(loop, std::move(b), {}, [this](Status) { closed = true; });
    channel.emplace(loop, *far, grpc::ChannelOptions{.authority = "kas"});
  }
  void settle() {
    while (loop.poll() > 0) {
    }
  }
  std::unique_ptr<Call> open(const std::string& token = "t1") {
    auto call = std::make_unique<Call>();
    call->call = channel->call(method::kGetConfiguration, {{"authorization", "Bearer " + token}}, call.get());
    settle();
    return call;
  }
  void send(Call& call, const rpc::ConfigurationRequest& request) {
    const std::string bytes = request.SerializeAsString();
    call.call->send(grpc::message_view(bytes));
    call.call->half_close();
    settle();
  }

  FakeClock clock;
  io::Loop loop{clock};
  control::FakeAgents backend;
  control::AgentAuthenticator authenticator{backend, clock};
  std::unique_ptr<ConfigurationServer> configuration =
      ConfigurationServer::create({.max_calls_per_agent = 2}, backend, authenticator, Logger());
  grpc::Server server;
  std::unique_ptr<http::ServerConnection> near;
  std::unique_ptr<http::ClientConnection> far;
  std::optional<grpc::Channel> channel;
  bool closed = false;
};

TEST_F(ConfigurationTest, AnAgentGetsItsConfigurationAndWhatItSaysIsMadeShort) {
  auto call = open();
  rpc::ConfigurationRequest request;
  request.mutable_agent_meta()->set_version("v1\n" + std::string(1000, 'x'));
  request.mutable_agent_meta()->set_pod_name(std::string(1, '\0') + "pod");
  send(*call, request);
  ASSERT_EQ(call->messages.size(), 1U);
  rpc::ConfigurationResponse response;
  ASSERT_TRUE(response.ParseFromString(call->messages[0]));
  EXPECT_EQ(response.commit_id(), "abc");
  ASSERT_EQ(backend.seen.size(), 1U);
  EXPECT_EQ(backend.seen[0].version, "v1?" + std::string(kMaxMeta - 3, 'x'));
  EXPECT_EQ(backend.seen[0].pod_name, "?pod");
  EXPECT_EQ(configuration->open_calls(), 1U);
  call.reset();
  settle();
  EXPECT_EQ(configuration->open_calls(), 0U);
}

TEST_F(ConfigurationTest, AStrangerIsRefusedBeforeHeHasSentAnything) {
  auto call = open("wrong");
  ASSERT_TRUE(call->status.has_value());
  EXPECT_EQ(call->status->code(), Code::kUnauthenticated);
}

TEST_F(ConfigurationTest, ARequestHasToCome) {
  auto call = open();
  EXPECT_FALSE(call->status.has_value());
  clock.advance(std::chrono::seconds(11));
  settle();
  ASSERT_TRUE(call->status.has_value());
  EXPECT_EQ(call->status->code(), Code::kDeadlineExceeded);
  EXPECT_TRUE(backend.seen.empty());
  EXPECT_EQ(configuration->open_calls(), 0U);
}

TEST_F(ConfigurationTest, CallsOfOneAgentAreCounted) {
  auto one = open();
  auto two = open();
  auto three = open();
  ASSERT_TRUE(three->status.has_value());
  EXPECT_EQ(three->status->code(), Code::kResourceExhausted);
  one.reset();
  settle();
  EXPECT_FALSE(open()->status.has_value());
}

TEST_F(ConfigurationTest, ACallEndsWithItsTokenServedOrNot) {
  auto waiting = open();
  auto served = open();
  send(*served, {});
  backend.revoke(2);
  settle();
  EXPECT_FALSE(served->status.has_value());
  backend.revoke(1);
  settle();
  EXPECT_TRUE(served->status.has_value());
  EXPECT_TRUE(waiting->status.has_value());
  EXPECT_TRUE(closed);
  EXPECT_EQ(configuration->open_calls(), 0U);
}

}  // namespace
}  // namespace towline::configuration
