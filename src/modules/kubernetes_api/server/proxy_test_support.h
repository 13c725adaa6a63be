#pragma once

// The proxy between a client and a tunnel that are both made of test code, for tests.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/proto_wire.h"
#include "io/loop.h"
#include "io/stream.h"
#include "modules/kubernetes_api/server/proxy.h"
#include "modules/kubernetes_api/wire.h"

namespace towline::kubernetes_api {
inline namespace proxy_testing {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

// Knows one user, whose access a test changes.
class Plane final : public control::Backend {
 public:
  void agent_by_token(io::Loop&, Secret, Answer<control::AuthenticatedAgent>) override {}
  void check_agent_tokens(io::Loop&, std::vector<control::AgentTokenInUse>, Answer<std::size_t>) override {}
  void agent_configuration(io::Loop&, std::int64_t, Answer<control::AgentConfiguration>) override {}
  void access_by_token(io::Loop& loop, std::int64_t, Secret, Answer<control::Access> answer) override {
    ++asked;
    later(loop, std::move(answer), access);
  }
  std::uint64_t access_generation() const override { return generation; }
  void agent_seen(control::AgentPresence) override {}
  void agent_gone(std::int64_t, std::int64_t) override {}
  void agent_last_seen(io::Loop& loop, std::int64_t,
                       Answer<std::optional<std::chrono::system_clock::time_point>> answer) override {
    later(loop, std::move(answer), Result<std::optional<std::chrono::system_clock::time_point>>(last_seen));
  }
  std::unique_ptr<Subscription> subscribe(std::function<void(const control::Event&)>) override {
    return nullptr;
  }

  Result<control::Access> access = control::Access{.username = "ada"};
  std::uint64_t generation = 1;
  std::optional<std::chrono::system_clock::time_point> last_seen;
  int asked = 0;

 private:
  template <typename T>
  static void later(io::Loop& loop, Answer<T> answer, Result<T> value) {
    loop.post([answer = std::move(answer), value = std::move(value)]() mutable { answer(std::move(value)); });
  }
};

// Calls that reach the agent.
class Tunnels final : public tunnel::Router {
 public:
  struct Call {
    grpc::ClientCallHandler* handler = nullptr;
    std::string sent;
    std::size_t held = 0;  // bytes that the tunnel has not sent yet
    bool over = false;
  };
  grpc::CallHandler connect_handler() override { return {}; }
  std::unique_ptr<grpc::ClientCall> call(io::Loop& loop, std::int64_t, const std::string&,
                                         const grpc::Metadata&, grpc::ClientCallHandler* handler) override {
    auto call = std::make_shared<Call>(Call{.handler = handler});
    calls.push_back(call);
    if (refusal) {
      loop.post([call, why = *refusal] {
        if (!call->over) call->handler->on_finish(why, {});
      });
    }
    return std::make_unique<Handle>(call);
  }
  void disconnect(std::int64_t, std::int64_t) override {}
  Counts counts() const override { return {}; }
  bool connected(std::int64_t) const override { return !refusal; }

  std::vector<std::shared_ptr<Call>> calls;
  std::optional<Status> refusal;

 private:
  class Handle final : public grpc::ClientCall {
   public:
    explicit Handle(std::shared_ptr<Call> call) : call_(std::move(call)) {}
    ~Handle() override { call_->over = true; }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    void send(grpc::MessageParts parts) override {
      for (const auto part : parts) call_->sent += grpc::text_view(part);
    }
    void half_close() override {}
    void consume(std::size_t) override {}
    std::size_t unsent() const override { return call_->held; }

   private:
    std::shared_ptr<Call> call_;
  };
};

// The client's side of a request.
struct Client {
  http::ExchangeHandler* handler = nullptr;
  std::optional<http::ResponseHead> head;
  std::string body;
  std::size_t unsent = 0;
  bool ended = false, reset = false, gone = false, may_pause = false;
};

class Exchange final : public http::ServerExchange {
 public:
  Exchange(io::Loop& loop, Client& client) : loop_(loop), client_(client) {}
  ~Exchange() override { client_.gone = true; }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  void set_handler(http::ExchangeHandler* handler) override { client_.handler = handler; }
  void respond(const http::ResponseHead& head, bool) override { client_.head = head; }
  void write(std::span<const std::byte> data) override {
    client_.body += grpc::text_view(data);
    client_.unsent += data.size();
  }
  void end(const http::Headers&) override { client_.ended = true; }
  std::size_t unsent() const override { return client_.unsent; }
  void allow_pauses() override { client_.may_pause = true; }
  void consume(std::size_t) override {}
  void reset() override { client_.reset = true; }
  io::Loop& loop() override { return loop_; }
  std::string_view peer() const override { return "192.0.2.1:5"; }
  std::unique_ptr<io::Stream> take_stream() override { return nullptr; }
  void set_peer(std::string) override {}

 private:
  io::Loop& loop_;
  Client& client_;
};

class ProxyTest : public testing::Test {
 protected:
  // A request keeps itself until its client or its agent is done with it.
  ~ProxyTest() override {
    for (const auto& client : clients_) {
      if (!client->gone) client->handler->on_failed(Status(Code::kCancelled, "the test is over"));
    }
    settle();
  }

  ProxyTest() { start(); }
  void start() {
    proxy_ = Proxy::create(options_, plane_, tunnels_, clock_, Logger::to_vector(&lines_),
                           [this](const auto& seen) { seen_.push_back(seen); });
  }

  Client& ask(std::string path = "/version", std::string upgrade = "", std::string token = "pat:7:secret",
              bool has_body = false) {
    Client& client = *clients_.emplace_back(std::make_unique<Client>());
    http::RequestHead head{.method = "GET", .target = "/k8s-proxy" + path, .upgrade = std::move(upgrade)};
    if (!token.empty()) head.headers.add("authorization", "Bearer " + token);
    proxy_->on_request(std::move(head), has_body, std::make_unique<Exchange>(loop_, client));
    settle();
    return client;
  }
  void settle() {
    while (loop_.poll() > 0) {
    }
  }
  void pass(milliseconds time, milliseconds step = milliseconds(100)) {
    for (milliseconds at{0}; at < time; at += step) {
      clock_.advance(step);
      settle();
    }
  }
  static std::string header(int status) {
    ::gitlab::agent::grpctool::HttpResponse message;
    message.mutable_header()->mutable_response()->set_status_code(status);
    return message.SerializeAsString();
  }
  void deliver(const std::string& message, std::size_t call = 0) {
    tunnels_->calls.at(call)->handler->on_message(grpc::message_view(message));
    settle();
  }
  void answer(int status = 200) { deliver(header(status), tunnels_->calls.size() - 1); }
  static std::string data(const std::string& text) {
    return std::string(ProtoPrefix::nested(kData, kBytes, text.size()).text()) + text;
  }
  std::string log() const {
    std::string all;
    for (const std::string& line : lines_) all += line + "\n";
    return all;
  }

  FakeClock clock_;
  io::Loop loop_{clock_};
  Plane plane_;
  std::shared_ptr<Tunnels> tunnels_ = std::make_shared<Tunnels>();
  std::vector<std::string> lines_;
  std::vector<ProxyObservation> seen_;
  std::vector<std::unique_ptr<Client>> clients_;
  ProxyOptions options_;
  std::unique_ptr<Proxy> proxy_;
};

}  // namespace proxy_testing
}  // namespace towline::kubernetes_api
