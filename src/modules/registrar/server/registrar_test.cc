#include "modules/registrar/server/registrar.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "base/clock.h"
#include "control/test_agents.h"
#include "grpc/client.h"
#include "grpc/server.h"
#include "http/client.h"
#include "http/server.h"
#include "io/loop.h"
#include "io/pair.h"
#include "proto/methods.h"

namespace towline::registrar {
namespace {

struct Call final : grpc::ClientCallHandler {
  void on_message(grpc::MessageView) override { ++messages; }
  void on_finish(Status s, grpc::Metadata) override { status = std::move(s); }
  std::unique_ptr<grpc::ClientCall> call;
  int messages = 0;
  std::optional<Status> status;
};

class RegistrarTest : public ::testing::Test {
 protected:
  RegistrarTest() {
    server.add(method::kRegister, handler(backend, authenticator),
               {.max_message = kMaxRequest, .guarded = true});
    auto [a, b] = io::stream_pair(loop);
    near = http::serve_http2(loop, std::move(a), server, {}, [] {});
    far = http::connect_http2(loop, std::move(b), {}, [](Status) {});
    channel.emplace(loop, *far, grpc::ChannelOptions{.authority = "kas"});
  }
  void settle() {
    while (loop.poll() > 0) {
    }
  }
  std::unique_ptr<Call> open(const std::string& token, int messages, bool close = true) {
    auto call = std::make_unique<Call>();
    call->call = channel->call(method::kRegister, {{"authorization", "Bearer " + token}}, call.get());
    for (int i = 0; i < messages; ++i) call->call->send(grpc::MessageView{});
    if (close) call->call->half_close();
    settle();
    return call;
  }
  Code code_of(const Call& call) { return call.status ? call.status->code() : Code::kUnknown; }

  FakeClock clock;
  io::Loop loop{clock};
  control::FakeAgents backend;
  control::AgentAuthenticator authenticator{backend, clock};
  grpc::Server server;
  std::unique_ptr<http::ServerConnection> near;
  std::unique_ptr<http::ClientConnection> far;
  std::optional<grpc::Channel> channel;
};

TEST_F(RegistrarTest, AnAgentThatRegistersHasBeenSeen) {
  const auto call = open("t1", 1);
  EXPECT_EQ(code_of(*call), Code::kOk);
  EXPECT_EQ(call->messages, 1);
  ASSERT_EQ(backend.seen.size(), 1U);
  EXPECT_EQ(backend.seen[0].token_id, 1);
}

TEST_F(RegistrarTest, AStrangerIsRefusedBeforeHeHasSentAnything) {
  EXPECT_EQ(code_of(*open("wrong", 0, false)), Code::kUnauthenticated);
}

TEST_F(RegistrarTest, OneRequestHasToCome) {
  EXPECT_EQ(code_of(*open("t1", 0)), Code::kInvalidArgument);
  EXPECT_EQ(code_of(*open("t1", 2)), Code::kInvalidArgument);
  const auto late = open("t1", 0, false);
  clock.advance(std::chrono::seconds(11));
  settle();
  EXPECT_EQ(code_of(*late), Code::kDeadlineExceeded);
}

}  // namespace
}  // namespace towline::registrar
