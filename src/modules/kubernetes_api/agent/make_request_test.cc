#include "modules/kubernetes_api/agent/make_request.h"

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
#include "modules/kubernetes_api/wire.h"

namespace towline::kubernetes_api {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

namespace grpctool = ::gitlab::agent::grpctool;

// What the handler does with its call.
struct Call {
  grpc::ServerCallHandler* handler = nullptr;
  std::vector<std::string> sent;
  std::size_t consumed = 0;
  std::optional<Status> status;
  bool over = true;
};

class FakeCall final : public grpc::ServerCall {
 public:
  FakeCall(io::Loop& loop, Call& call) : loop_(loop), call_(call) { call_.over = false; }
  ~FakeCall() override { call_.over = true; }
  FakeCall(const FakeCall&) = delete;
  FakeCall& operator=(const FakeCall&) = delete;
  void set_handler(grpc::ServerCallHandler* handler) override { call_.handler = handler; }
  void send_metadata(const grpc::Metadata&) override {}
  void send(grpc::MessageParts parts) override {
    std::string& all = call_.sent.emplace_back();
    for (const auto part : parts) all += grpc::text_view(part);
  }
  void finish(const Status& status, const grpc::Metadata&) override { call_.status = status; }
  void consume(std::size_t bytes) override { call_.consumed += bytes; }
  std::size_t unsent() const override { return 0; }
  io::Loop& loop() override { return loop_; }
  std::string_view peer() const override { return "test"; }

 private:
  io::Loop& loop_;
  Call& call_;
};

// The cluster's API as the handler sees it.
class Api final : public kube::Client {
 public:
  explicit Api(io::Loop& loop) : loop_(loop) {}
  std::unique_ptr<http::ClientExchange> start(http::RequestHead request, bool,
                                              http::ExchangeHandler* its_handler) override {
    head = std::move(request);
    handler = its_handler;
    return std::make_unique<Exchange>(*this);
  }
  std::size_t connections() const override { return 0; }

  std::optional<http::RequestHead> head;
  http::ExchangeHandler* handler = nullptr;
  std::size_t unsent = 0;
  bool may_pause = false;

 private:
  class Exchange final : public http::ClientExchange {
   public:
    explicit Exchange(Api& api) : api_(api) {}
    void set_handler(http::ExchangeHandler*) override {}
    void write(std::span<const std::byte> data) override { api_.unsent += data.size(); }
    void end(const http::Headers&) override {}
    std::size_t unsent() const override { return api_.unsent; }
    void allow_pauses() override { api_.may_pause = true; }
    void consume(std::size_t) override {}
    void reset() override {}
    io::Loop& loop() override { return api_.loop_; }
    std::string_view peer() const override { return "api"; }

   private:
    Api& api_;
  };
  io::Loop& loop_;
};

class MakeRequest : public testing::Test {
 protected:
  void TearDown() override {
    if (!call_.over) call_.handler->on_cancelled(Status());
  }
  grpctool::HttpRequest request(const std::string& target) {
    grpctool::HttpRequest message;
    auto& head = *message.mutable_header()->mutable_request();
    head.set_method("GET");
    head.set_url_path("/decoded path");
    (*head.mutable_query())["a b"].add_value("c+d");
    head.set_raw_target(target);
    message.mutable_header()->set_content_length(0);
    return message;
  }
  void begin(const grpctool::HttpRequest& message) {
    handler_({.method = "", .metadata = {}, .call = std::make_unique<FakeCall>(loop_, call_)});
    deliver(message.SerializeAsString());
  }
  void deliver(const std::string& bytes) { call_.handler->on_message(grpc::message_view(bytes)); }
  static std::string upgraded(const std::string& data) {
    return std::string(ProtoPrefix::nested(kUpgradeData, kBytes, data.size()).text()) + data;
  }

  FakeClock clock_;
  io::Loop loop_{clock_};
  Call call_;
  Api api_{loop_};
  grpc::CallHandler handler_ = make_request_handler(api_, {});
};

TEST_F(MakeRequest, SendsTheTargetAsTheClientDid) {
  begin(request("/a%2Fb/./x?z=1&a=2&z=a+b;c&&%zz=\xe9"));
  EXPECT_EQ(api_.head->target, "/a%2Fb/./x?z=1&a=2&z=a+b;c&&%zz=\xe9");
}

TEST_F(MakeRequest, PutsItTogetherFromItsPartsForAServerThatSendsNothingElse) {
  begin(request(""));
  EXPECT_EQ(api_.head->target, "/decoded%20path?a%20b=c%2Bd");
}

TEST_F(MakeRequest, RefusesWhatIsNoRequestLine) {
  for (const char* target : {"x", "/a b", "/a\r\nHost: b", "/\x7f"}) {
    begin(request(target));
    EXPECT_EQ(call_.status->code(), Code::kInvalidArgument) << target;
  }
  auto strange = request("/");
  strange.mutable_header()->mutable_request()->set_method("GE T");
  begin(strange);
  EXPECT_EQ(call_.status->code(), Code::kInvalidArgument);
  EXPECT_FALSE(api_.head);
}

TEST_F(MakeRequest, PassesBytesThatAreNoUtf8) {
  auto message = request("/");
  (*message.mutable_header()->mutable_request()->mutable_header())["X-Name"].add_value("caf\xe9");
  begin(message);
  EXPECT_EQ(api_.head->headers.get("x-name"), "caf\xe9");
  api_.handler->on_response({.status = 200, .headers = {{"x-name", "caf\xe9"}}}, false);
  grpctool::HttpResponse answer;
  ASSERT_TRUE(answer.ParseFromString(call_.sent.at(0)));
  EXPECT_EQ(answer.header().response().header().at("X-Name").value(0), "caf\xe9");
}

TEST_F(MakeRequest, NeverTellsTheServerToMakeTheRequestAgainOrThatTheAgentHasTooMuch) {
  for (const Code code : {Code::kCancelled, Code::kAborted, Code::kResourceExhausted, Code::kUnavailable}) {
    begin(request("/"));
    api_.handler->on_failed(Status(code, "Kubernetes API: no"));
    EXPECT_EQ(call_.status->code(), Code::kUnavailable);
    EXPECT_EQ(call_.status->message(), "agentk: Kubernetes API: no");
  }
}

TEST_F(MakeRequest, GivesAllCreditBackWhenTheClusterGoesInTheMiddleOfAnUpload) {
  auto message = request("/");
  (*message.mutable_header()->mutable_request()->mutable_header())["Upgrade"].add_value("SPDY/3.1");
  (*message.mutable_header()->mutable_request()->mutable_header())["Connection"].add_value("Upgrade");
  begin(message);
  api_.handler->on_response({.status = 101, .headers = {}, .upgrade = "SPDY/3.1"}, false);
  EXPECT_TRUE(api_.may_pause);
  const std::size_t before = call_.consumed;
  std::size_t sent = 0;
  for (int i = 0; i < 10; ++i) {
    const std::string data = upgraded(std::string(16000, 'x'));
    sent += data.size();
    deliver(data);
  }
  EXPECT_LT(call_.consumed - before, sent);
  api_.handler->on_failed(Status(Code::kUnavailable, "gone"));
  EXPECT_EQ(call_.consumed - before, sent);
}

}  // namespace
}  // namespace towline::kubernetes_api
