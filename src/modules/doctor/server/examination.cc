#include "modules/doctor/server/examination.h"

#include <chrono>
#include <map>
#include <mutex>
#include <utility>

#include "grpc/client.h"
#include "io/dial.h"
#include "io/loop.h"
#include "modules/doctor/report.h"
#include "proto/doctor.pb.h"
#include "proto/methods.h"

namespace towline::doctor {
namespace {

using Examined = control::AgentDoctor::Examined;

/// Limit: how long an agent may take to say how it is; over it the agent "has not answered". It needs a
/// second or two; clients wait for a minute.
constexpr std::chrono::seconds kLimit{55};
/// Limit: an agent's report in bytes; over it the agent "has not answered".
constexpr std::size_t kMaxReport = 64 * 1024;

Status explain(const Status& why) {
  switch (why.code()) {
    case Code::kNotFound:
      return {Code::kUnavailable,
              "the agent is not connected, so it cannot be asked: its log says why, and so does \"agentk "
              "doctor\" in its pod or on its machine"};
    case Code::kUnimplemented:
      return {Code::kUnimplemented,
              "this agent cannot be asked: it is older than its server, or another program"};
    case Code::kResourceExhausted:
      return why;
    default:
      return {Code::kUnavailable, "the agent has not answered: " + why.message()};
  }
}

// How many questions there are, and before each agent.
class Ledger {
 public:
  bool enter(std::int64_t agent_id) {
    const std::lock_guard lock(mutex_);
    if (all_ == Examination::kMaxInAll) return false;
    int& open = open_[agent_id];
    if (open == Examination::kMaxOfOneAgent) return false;
    ++open;
    ++all_;
    return true;
  }
  void leave(std::int64_t agent_id) {
    const std::lock_guard lock(mutex_);
    const auto found = open_.find(agent_id);
    if (--found->second == 0) open_.erase(found);
    --all_;
  }

 private:
  std::mutex mutex_;
  std::map<std::int64_t, int> open_;
  int all_ = 0;
};

// One that is not asked, because others are being answered.
class Refusal final : public io::Operation {
 public:
  Refusal(io::Loop& loop, Examined done) : done_(std::move(done)), timer_(loop, [this] { refuse(); }) {
    timer_.start(std::chrono::nanoseconds(0));
  }

 private:
  void refuse() {
    Examined done = std::move(done_);
    done(fail(Code::kResourceExhausted,
              "the agent, or many others, are being examined already: try again in a moment"));
  }

  Examined done_;
  io::Timer timer_;
};

// One question to one agent, on the loop of the one who asks.
class Question final : public io::Operation {
 public:
  Question(io::Loop& loop, tunnel::Router& router, Ledger& ledger, std::int64_t agent_id, Examined done)
      : ledger_(ledger),
        agent_id_(agent_id),
        done_(std::move(done)),
        limit_(loop, [this] { finish(fail(Code::kDeadlineExceeded, "no answer in time")); }) {
    limit_.start(kLimit);
    call_ = grpc::unary_call(
        [&](grpc::ClientCallHandler* handler) {
          return router.call(loop, agent_id, method::kExamine, {}, handler);
        },
        rpc::ExamineRequest().SerializeAsString(),
        [this](Result<std::string> answer) { finish(std::move(answer)); }, kMaxReport);
  }
  ~Question() override { ledger_.leave(agent_id_); }
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;

 private:
  // The last thing done here: `done` may destroy this.
  void finish(Result<std::string> answer) {
    limit_.cancel();
    call_.reset();
    Examined done = std::move(done_);
    if (!answer) return done(fail(explain(answer.error())));
    const Result<Report> report = parse_report(*answer);
    if (!report) return done(fail(Code::kUnavailable, report.error().message()));
    done(to_json(*report));
  }

  Ledger& ledger_;
  const std::int64_t agent_id_;
  Examined done_;
  std::unique_ptr<grpc::ClientCall> call_;
  io::Timer limit_;
};

class ExaminationImpl final : public Examination {
 public:
  explicit ExaminationImpl(std::shared_ptr<tunnel::Router> router) : router_(std::move(router)) {}

  std::unique_ptr<io::Operation> examine(io::Loop& loop, std::int64_t agent_id, Examined done) override {
    if (!ledger_.enter(agent_id)) return std::make_unique<Refusal>(loop, std::move(done));
    return std::make_unique<Question>(loop, *router_, ledger_, agent_id, std::move(done));
  }

 private:
  const std::shared_ptr<tunnel::Router> router_;
  Ledger ledger_;
};

}  // namespace

std::unique_ptr<Examination> Examination::create(std::shared_ptr<tunnel::Router> router) {
  return std::make_unique<ExaminationImpl>(std::move(router));
}

}  // namespace towline::doctor
