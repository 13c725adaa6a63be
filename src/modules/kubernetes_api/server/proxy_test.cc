// The proxy between a client and a tunnel that are both made of test code.
#include "modules/kubernetes_api/server/proxy.h"

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
#include "modules/kubernetes_api/wire.h"

namespace towline::kubernetes_api {
namespace {

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
    std::size_t unsent() const override { return 0; }

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
  std::unique_ptr<Proxy> proxy_ = Proxy::create({}, plane_, tunnels_, clock_, Logger::to_vector(&lines_),
                                                [this](const auto& seen) { seen_.push_back(seen); });
};

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

TEST_F(ProxyTest, MakesACallThatTheAgentDidNotLookAtAgainAFewTimes) {
  tunnels_->refusal = Status(Code::kAborted, "retired");
  Client& client = ask();
  pass(seconds(1));
  EXPECT_EQ(tunnels_->calls.size(), 5U);
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
