#include "modules/registrar/agent/registration.h"

#include <random>
#include <string>
#include <utility>

#include "base/backoff.h"
#include "io/loop.h"
#include "proto/agent_registrar.pb.h"
#include "proto/methods.h"

namespace towline::registrar {
namespace {

namespace rpc = ::gitlab::agent::agent_registrar::rpc;

constexpr std::chrono::seconds kPeriod{300};
// Of a registration that failed. The agent serves without one; it is for the list of agents alone.
constexpr Backoff::Policy kPauses{.initial = std::chrono::seconds(10), .maximum = std::chrono::seconds(300)};
constexpr std::chrono::seconds kTimeout{20};
constexpr std::chrono::seconds kStopTimeout{2};

class RegistrationImpl final : public Registration {
 public:
  RegistrationImpl(io::Loop& loop, grpc::Channel& channel, const ::gitlab::agent::entity::AgentMeta& meta,
                   std::int64_t pod_id, Logger log)
      : channel_(channel),
        log_(std::move(log)),
        random_(std::random_device{}()),
        backoff_(kPauses, [this] { return std::uniform_real_distribution<double>(0, 1)(random_); }),
        next_(loop, [this] { send(); }) {
    rpc::RegisterRequest request;
    *request.mutable_agent_meta() = meta;
    request.set_pod_id(pod_id);
    request_ = request.SerializeAsString();
    send();
  }

  void stop(std::move_only_function<void()> done) override {
    next_.cancel();
    stopped_ = std::move(done);
    // Unregister's message has the same fields as Register's.
    call_ = channel_.unary(method::kUnregister, request_, kStopTimeout,
                           [this](Result<std::string>) { finish_stop(); });
    if (call_ == nullptr) finish_stop();
  }

 private:
  void send() {
    call_ = channel_.unary(method::kRegister, request_, kTimeout,
                           [this](const Result<std::string>& answer) { answered(answer); });
    if (call_ == nullptr) next_.start(backoff_.next());
  }
  void answered(const Result<std::string>& answer) {
    if (!answer) {
      log_.debug("registration failed", {{"error", answer.error().to_string()}});
      next_.start(backoff_.next());
      return;
    }
    backoff_.reset();
    const std::chrono::seconds less(
        std::uniform_int_distribution<int>(0, static_cast<int>(kPeriod.count() / 10))(random_));
    next_.start(kPeriod - less);
  }
  void finish_stop() {
    if (stopped_) std::exchange(stopped_, {})();
  }

  grpc::Channel& channel_;
  Logger log_;
  std::minstd_rand random_;
  Backoff backoff_;
  io::Timer next_;
  std::string request_;
  std::unique_ptr<grpc::ClientCall> call_;
  std::move_only_function<void()> stopped_;
};

}  // namespace

std::unique_ptr<Registration> register_agent(io::Loop& loop, grpc::Channel& channel,
                                             const ::gitlab::agent::entity::AgentMeta& meta,
                                             std::int64_t pod_id, Logger log) {
  return std::make_unique<RegistrationImpl>(loop, channel, meta, pod_id, std::move(log));
}

}  // namespace towline::registrar
