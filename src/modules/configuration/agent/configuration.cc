#include "modules/configuration/agent/configuration.h"

#include <random>
#include <utility>

#include "base/backoff.h"
#include "io/loop.h"
#include "proto/agent_configuration.pb.h"
#include "proto/methods.h"

namespace towline::configuration {
namespace {

namespace rpc = ::gitlab::agent::agent_configuration::rpc;

class Follower final : public ConfigurationFollower, public grpc::ClientCallHandler {
 public:
  Follower(io::Loop& loop, grpc::Channel& channel, std::shared_ptr<ConfigurationState> state,
           const ::gitlab::agent::entity::AgentMeta& meta, ApplyConfiguration apply, Logger log)
      : channel_(channel),
        state_(std::move(state)),
        meta_(meta),
        apply_(std::move(apply)),
        log_(std::move(log)),
        backoff_({.initial = std::chrono::milliseconds(1000), .maximum = std::chrono::milliseconds(30'000)},
                 [engine = std::minstd_rand(std::random_device{}())]() mutable {
                   return std::uniform_real_distribution<double>(0, 1)(engine);
                 }),
        retry_(loop, [this] { ask(); }) {
    ask();
  }

  void on_message(grpc::MessageView message) override {
    call_->consume(message.size());
    state_->refused = false;
    rpc::ConfigurationResponse response;
    if (!response.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
      log_.error("malformed configuration from the server");
      return;
    }
    backoff_.reset();
    state_->commit_id = response.commit_id();
    apply_(response.configuration(), response.commit_id());
  }
  void on_finish(Status status, grpc::Metadata) override {
    call_.reset();
    if (status.code() == Code::kUnauthenticated || status.code() == Code::kPermissionDenied) {
      state_->refused = true;
      log_.error("the server refuses the agent's token: check that it is this agent's and was not revoked",
                 {{"error", status.message()}});
      if (state_->on_refused) state_->on_refused();
    } else if (!status.ok()) {
      log_.debug("the configuration call ended", {{"error", status.to_string()}});
    }
    retry_.start(backoff_.next());
  }

 private:
  void ask() {
    call_ = channel_.call(method::kGetConfiguration, {}, this);
    if (call_ == nullptr) {
      retry_.start(backoff_.next());
      return;
    }
    rpc::ConfigurationRequest request;
    request.set_commit_id(state_->commit_id);
    *request.mutable_agent_meta() = meta_;
    request.set_skip_register(true);
    const std::string bytes = request.SerializeAsString();
    call_->send(grpc::message_view(bytes));
    call_->half_close();
  }

  grpc::Channel& channel_;
  std::shared_ptr<ConfigurationState> state_;
  const ::gitlab::agent::entity::AgentMeta meta_;
  ApplyConfiguration apply_;
  Logger log_;
  Backoff backoff_;
  io::Timer retry_;
  std::unique_ptr<grpc::ClientCall> call_;
};

}  // namespace

std::unique_ptr<ConfigurationFollower> follow_configuration(io::Loop& loop, grpc::Channel& channel,
                                                            std::shared_ptr<ConfigurationState> state,
                                                            const ::gitlab::agent::entity::AgentMeta& meta,
                                                            ApplyConfiguration apply, Logger log) {
  return std::make_unique<Follower>(loop, channel, std::move(state), meta, std::move(apply), std::move(log));
}

}  // namespace towline::configuration
