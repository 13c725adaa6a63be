#include "modules/doctor/server/examination.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <utility>

#include "io/loop.h"
#include "modules/doctor/report.h"
#include "proto/doctor.pb.h"
#include "proto/methods.h"

namespace towline::doctor {
namespace {

constexpr int kMaxAtOnce = 2;
// An agent that is connected needs a second or two; clients wait for a minute.
constexpr std::chrono::seconds kLimit{55};

// One question, on its loop.
class Question final : public grpc::ClientCallHandler {
 public:
  using Done = std::move_only_function<void(Result<std::string>)>;

  Question(io::Loop& loop, tunnel::Router& router, std::int64_t agent_id, Done done)
      : done_(std::move(done)) {
    call_ = router.call(loop, agent_id, method::kExamine, {}, this);
    const std::string request = rpc::ExamineRequest().SerializeAsString();
    call_->send(grpc::message_view(request));
    call_->half_close();
  }

  void on_message(grpc::MessageView message) override {
    answer_.assign(grpc::text_view(message));
    call_->consume(message.size());
  }
  // `done` may destroy this.
  void on_finish(Status status, grpc::Metadata) override {
    Done done = std::move(done_);
    if (status.ok()) return done(std::move(answer_));
    done(fail(std::move(status)));
  }

 private:
  Done done_;
  std::string answer_;
  std::unique_ptr<grpc::ClientCall> call_;
};

Status explain(const Status& why) {
  switch (why.code()) {
    case Code::kNotFound:
      return {Code::kUnavailable,
              "the agent is not connected, so it cannot be asked: its log says why, and so does \"agentk "
              "doctor\" "
              "in its pod or on its machine"};
    case Code::kUnimplemented:
      return {Code::kUnimplemented,
              "this agent cannot be asked: it is older than its server, or another program"};
    case Code::kResourceExhausted:
      return why;
    default:
      return {Code::kUnavailable, "the agent has not answered: " + why.message()};
  }
}

class ExaminationImpl final : public Examination {
 public:
  ExaminationImpl(io::LoopGroup& loops, std::shared_ptr<tunnel::Router> router)
      : loops_(loops), router_(std::move(router)) {}

  Result<std::string> examine(std::int64_t agent_id) override {
    if (!enter())
      return fail(Code::kResourceExhausted, "other agents are being examined: try again in a moment");
    Result<std::string> answer = ask(agent_id);
    leave();
    if (!answer) return fail(explain(answer.error()));
    Result<Report> report = parse_report(*answer);
    if (!report) return fail(Code::kUnavailable, report.error().message());
    return to_json(*report);
  }

  void close() override {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  bool enter() {
    const std::lock_guard lock(mutex_);
    if (closed_ || running_ == kMaxAtOnce) return false;
    ++running_;
    return true;
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    --running_;
  }

  Result<std::string> ask(std::int64_t agent_id) {
    io::Loop& loop = loops_.at(0);
    std::unique_lock lock(mutex_);
    const std::uint64_t number = ++last_number_;
    loop.post([this, &loop, number, agent_id] {
      questions_.emplace(number,
                         std::make_unique<Question>(loop, *router_, agent_id, [this, number](auto answer) {
                           answered(number, std::move(answer));
                         }));
    });
    changed_.wait_for(lock, kLimit, [&] { return closed_ || answers_.contains(number); });
    loop.post([this, number] { forget(number); });
    auto answer = answers_.extract(number);
    if (!answer.empty()) return std::move(answer.mapped());
    return fail(Code::kUnavailable, closed_ ? "the server is stopping" : "no answer in time");
  }
  // On the loop, like the next one. An answer that came too late for the one who asked goes with its
  // question.
  void forget(std::uint64_t number) {
    questions_.erase(number);
    const std::lock_guard lock(mutex_);
    answers_.erase(number);
  }
  void answered(std::uint64_t number, Result<std::string> answer) {
    const std::lock_guard lock(mutex_);
    answers_.emplace(number, std::move(answer));
    changed_.notify_all();
  }

  io::LoopGroup& loops_;
  const std::shared_ptr<tunnel::Router> router_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int running_ = 0;
  bool closed_ = false;
  std::uint64_t last_number_ = 0;
  std::map<std::uint64_t, Result<std::string>> answers_;
  std::map<std::uint64_t, std::unique_ptr<Question>> questions_;  // on the loop
};

}  // namespace

std::unique_ptr<Examination> Examination::create(io::LoopGroup& loops,
                                                 std::shared_ptr<tunnel::Router> router) {
  return std::make_unique<ExaminationImpl>(loops, std::move(router));
}

}  // namespace towline::doctor
