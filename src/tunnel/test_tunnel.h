#pragma once

// Both ends of the reverse tunnel over an HTTP/2 connection in memory, for tests.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/clock.h"
#include "grpc/client.h"
#include "grpc/server.h"
#include "http/client.h"
#include "http/server.h"
#include "io/loop.h"
#include "io/pair.h"
#include "proto/methods.h"
#include "tunnel/agent/tunnels.h"
#include "tunnel/server/router.h"
#include "tunnel/wire.h"

namespace towline::tunnel {

inline constexpr std::string_view kMethod = "/test.Service/Stream";

struct Caller final : grpc::ClientCallHandler {
  void on_metadata(grpc::Metadata m) override { metadata = std::move(m); }
  void on_message(grpc::MessageView m) override {
    messages.emplace_back(grpc::text_view(m));
    bytes += m.size();
    if (consume) call->consume(m.size());
    if (after_message) after_message();
  }
  void on_finish(Status s, grpc::Metadata t) override {
    status = std::move(s);
    trailers = std::move(t);
    if (after_finish) after_finish();
  }
  std::unique_ptr<grpc::ClientCall> call;
  grpc::Metadata metadata, trailers;
  std::vector<std::string> messages;
  std::size_t bytes = 0;
  bool consume = true;
  std::optional<Status> status;
  std::function<void()> after_message, after_finish;
};

struct Served final : grpc::ServerCallHandler {
  void on_message(grpc::MessageView m) override {
    messages.emplace_back(grpc::text_view(m));
    bytes += m.size();
    if (consume) in.call->consume(m.size());
  }
  void on_half_close() override { half_closed = true; }
  void on_cancelled(Status s) override { cancelled = std::move(s); }
  grpc::IncomingCall in;
  std::vector<std::string> messages;
  std::size_t bytes = 0;
  bool half_closed = false;
  bool consume = true;
  std::optional<Status> cancelled;
};

// An agent connected to a server, both on one loop.
struct AgentConnection {
  AgentConnection(io::Loop& loop, http::RequestHandler& server, std::string token,
                  AgentTunnelOptions options = {}) {
    methods.add(std::string(kMethod), [this](grpc::IncomingCall call) {
      served.push_back(std::make_unique<Served>());
      served.back()->in = std::move(call);
      served.back()->in.call->set_handler(served.back().get());
      if (on_call) on_call(*served.back());
    });
    auto [a, b] = io::stream_pair(loop, 256 * 1024);
    http::ServerConnectionOptions server_options;
    server_connection = http::serve_http2(loop, std::move(a), server, server_options, [] {});
    connection = http::connect_http2(loop, std::move(b), {}, [](Status) {});
    channel.emplace(loop, *connection,
                    grpc::ChannelOptions{.authority = "kas", .metadata = {{"token", token}}});
    tunnels = start_tunnels(loop, *channel, methods, options, Logger());
  }
  grpc::Server methods;
  std::vector<std::unique_ptr<Served>> served;
  std::function<void(Served&)> on_call;
  std::unique_ptr<http::ServerConnection> server_connection;
  std::unique_ptr<http::ClientConnection> connection;
  std::optional<grpc::Channel> channel;
  std::unique_ptr<AgentTunnels> tunnels;
};

/// Takes every token but "bad" for one of agent 7.
inline Router::Authenticate authenticate() {
  return [](grpc::ServerCall& call, const grpc::Metadata& metadata, auto answer) {
    const std::string token(metadata.get("token").value_or(""));
    call.loop().post([answer = std::move(answer), token]() mutable {
      if (token == "bad") return answer(fail(Code::kUnauthenticated, "wrong token"));
      answer(TunnelOwner{.agent_id = 7, .token_id = 70});
    });
  };
}

class TunnelTest : public ::testing::Test {
 protected:
  void start(RouterOptions options = {}) {
    router = Router::create(options, authenticate(), Logger());
    server.add(method::kConnect, router->connect_handler(), {.max_message = kMaxDescriptor, .guarded = true});
  }
  AgentConnection& connect(AgentTunnelOptions options = {}, std::string token = "good") {
    agents.push_back(std::make_unique<AgentConnection>(loop, server, token, options));
    settle();
    return *agents.back();
  }
  std::unique_ptr<Caller> call(std::int64_t agent = 7, std::string_view method = kMethod) {
    auto caller = std::make_unique<Caller>();
    caller->call = router->call(loop, agent, std::string(method), {{"x-meta", "1"}}, caller.get());
    return caller;
  }
  void settle() {
    while (loop.poll() > 0) {
    }
  }

  FakeClock clock;
  io::Loop loop{clock};
  grpc::Server server;
  std::shared_ptr<Router> router;
  std::vector<std::unique_ptr<AgentConnection>> agents;
};

}  // namespace towline::tunnel
