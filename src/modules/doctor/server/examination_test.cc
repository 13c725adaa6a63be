#include "modules/doctor/server/examination.h"

#include <map>
#include <optional>

#include <gmock/gmock.h>

#include "io/dial.h"
#include "io/loop.h"
#include "modules/doctor/report.h"
#include "proto/methods.h"

namespace towline::doctor {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// Agents that answer when the test says so.
class FakeRouter final : public tunnel::Router {
 public:
  struct Call final : grpc::ClientCall {
    Call(FakeRouter& owner, int its_number, grpc::ClientCallHandler* its_handler)
        : router(owner), number(its_number), handler(its_handler) {
      router.calls[number] = this;
    }
    ~Call() override { router.calls.erase(number); }
    using grpc::ClientCall::send;
    void send(grpc::MessageParts) override { ++sent; }
    void half_close() override { half_closed = true; }
    void consume(std::size_t bytes) override { router.consumed += bytes; }
    std::size_t unsent() const override { return 0; }

    FakeRouter& router;
    const int number;
    grpc::ClientCallHandler* const handler;
    int sent = 0;
    bool half_closed = false;
  };

  grpc::CallHandler connect_handler() override { return {}; }
  std::unique_ptr<grpc::ClientCall> call(io::Loop&, std::int64_t agent_id, const std::string& method,
                                         const grpc::Metadata&, grpc::ClientCallHandler* handler) override {
    asked.emplace_back(agent_id, method);
    return std::make_unique<Call>(*this, ++last_, handler);
  }
  void disconnect(std::int64_t, std::int64_t) override {}
  Counts counts() const override { return {}; }
  bool connected(std::int64_t) const override { return true; }

  void answer(int number, const std::string& message) {
    Call& call = *calls.at(number);
    call.handler->on_message(grpc::message_view(message));
    call.handler->on_finish({}, {});
  }
  void finish(int number, Status status) { calls.at(number)->handler->on_finish(std::move(status), {}); }

  std::vector<std::pair<std::int64_t, std::string>> asked;
  std::map<int, Call*> calls;
  std::size_t consumed = 0;

 private:
  int last_ = 0;
};

class ExaminationTest : public testing::Test {
 protected:
  struct Asked {
    std::unique_ptr<io::Operation> operation;
    std::optional<Result<std::string>> answer;
  };
  // The answer destroys its operation, as the API does.
  std::shared_ptr<Asked> ask(std::int64_t agent_id) {
    auto asked = std::make_shared<Asked>();
    asked->operation = examination->examine(loop, agent_id, [asked = asked.get()](auto answer) {
      asked->answer = std::move(answer);
      asked->operation.reset();
    });
    EXPECT_FALSE(asked->answer) << "from inside";
    return asked;
  }
  void poll() {
    while (loop.poll() > 0) {
    }
  }
  static std::string message() {
    return to_message({.version = "1.2.3",
                       .pod_namespace = "ns",
                       .pod_name = "pod-1",
                       .checks = {{.name = "dns", .detail = "fine", .remedy = ""}}});
  }

  FakeClock clock;
  io::Loop loop{clock};
  std::shared_ptr<FakeRouter> router = std::make_shared<FakeRouter>();
  std::unique_ptr<Examination> examination = Examination::create(router);
};

TEST_F(ExaminationTest, TheReportOfTheAgentIsPassedOn) {
  const auto asked = ask(7);
  ASSERT_EQ(router->asked.size(), 1U);
  EXPECT_EQ(router->asked[0], std::pair(std::int64_t{7}, std::string(method::kExamine)));
  EXPECT_EQ(router->calls.at(1)->sent, 1);
  EXPECT_TRUE(router->calls.at(1)->half_closed);
  router->answer(1, message());
  ASSERT_TRUE(asked->answer && asked->answer->has_value());
  EXPECT_THAT(**asked->answer, HasSubstr(R"("pod_name":"pod-1")"));
  EXPECT_EQ(router->consumed, message().size());
  EXPECT_THAT(router->calls, IsEmpty());
}

TEST_F(ExaminationTest, EachFailureSaysWhatItIs) {
  const struct {
    Status from;
    Code code;
    const char* text;
  } kCases[] = {
      {{Code::kNotFound, "x"}, Code::kUnavailable, "the agent is not connected"},
      {{Code::kUnimplemented, "x"}, Code::kUnimplemented, "older than its server"},
      {{Code::kResourceExhausted, "too many calls"}, Code::kResourceExhausted, "too many calls"},
      {{Code::kUnavailable, "it went away"}, Code::kUnavailable, "has not answered: it went away"},
  };
  int number = 0;
  for (const auto& each : kCases) {
    const auto asked = ask(7);
    router->finish(++number, each.from);
    ASSERT_TRUE(asked->answer && !asked->answer->has_value());
    EXPECT_EQ(asked->answer->error().code(), each.code);
    EXPECT_THAT(asked->answer->error().message(), HasSubstr(each.text));
  }
}

TEST_F(ExaminationTest, AnAnswerThatIsNoReportIsRefused) {
  const auto asked = ask(7);
  router->answer(1, "\xff\xff");
  ASSERT_TRUE(asked->answer && !asked->answer->has_value());
  EXPECT_EQ(asked->answer->error().code(), Code::kUnavailable);
}

TEST_F(ExaminationTest, AnEndWithoutAReportIsNoGoodReport) {
  const auto asked = ask(7);
  router->finish(1, {});
  ASSERT_TRUE(asked->answer && !asked->answer->has_value());
  EXPECT_EQ(asked->answer->error().code(), Code::kUnavailable);
  EXPECT_THAT(asked->answer->error().message(), HasSubstr("holds no message"));
}

TEST_F(ExaminationTest, AnAgentThatIsSilentIsGivenUp) {
  const auto asked = ask(7);
  clock.advance(std::chrono::seconds(54));
  poll();
  EXPECT_FALSE(asked->answer);
  clock.advance(std::chrono::seconds(1));
  poll();
  ASSERT_TRUE(asked->answer && !asked->answer->has_value());
  EXPECT_EQ(asked->answer->error().code(), Code::kUnavailable);
  EXPECT_THAT(asked->answer->error().message(), HasSubstr("no answer in time"));
  EXPECT_THAT(router->calls, IsEmpty());
}

TEST_F(ExaminationTest, ASilentAgentHoldsUpOnlyThoseWhoAskIt) {
  const auto first = ask(7), second = ask(7), third = ask(7), other = ask(8);
  poll();
  ASSERT_TRUE(third->answer && !third->answer->has_value());
  EXPECT_EQ(third->answer->error().code(), Code::kResourceExhausted);
  EXPECT_FALSE(first->answer || second->answer || other->answer);
  EXPECT_EQ(router->calls.size(), 3U);
  router->answer(1, message());
  EXPECT_TRUE(first->answer->has_value());
  const auto fourth = ask(7);
  poll();
  EXPECT_FALSE(fourth->answer);
}

TEST_F(ExaminationTest, AQuestionCanBeTakenBack) {
  const auto first = ask(7), second = ask(7), refused = ask(7);
  first->operation.reset();
  refused->operation.reset();
  poll();
  EXPECT_FALSE(first->answer || refused->answer);
  EXPECT_EQ(router->calls.size(), 1U);
  const auto next = ask(7);
  poll();
  EXPECT_FALSE(next->answer);
}

}  // namespace
}  // namespace towline::doctor
