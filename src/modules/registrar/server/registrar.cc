#include "modules/registrar/server/registrar.h"

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "io/loop.h"
#include "proto/agent_registrar.pb.h"

namespace towline::registrar {
namespace {

namespace rpc = ::gitlab::agent::agent_registrar::rpc;

/// Limit: how long a caller of Register may take to send its request; over it DEADLINE_EXCEEDED.
constexpr std::chrono::seconds kRequestTime{10};

// Register and Unregister have the same fields, and both are uses of the token. That a pod is there, and
// since when, the configuration's call says, which stays open. Keeps itself until it is over.
class Call final : public grpc::ServerCallHandler, public std::enable_shared_from_this<Call> {
 public:
  Call(control::Backend& backend, grpc::IncomingCall incoming)
      : backend_(backend),
        call_(std::move(incoming.call)),
        limit_(call_->loop(), [this] { finish(Status(Code::kDeadlineExceeded, "no request in time")); }) {}

  void start(control::AgentAuthenticator& authenticator, const grpc::Metadata& metadata) {
    keep_ = shared_from_this();
    call_->set_handler(this);
    limit_.start(kRequestTime);
    authenticator.authenticate(
        {.loop = call_->loop(), .peer = call_->peer(), .connection = call_->liveness()}, metadata,
        control::AgentAuthenticator::Method::kRegistration, [weak = weak_from_this()](auto agent) {
          if (const auto self = weak.lock()) self->authenticated(std::move(agent));
        });
  }

  void on_message(grpc::MessageView message) override {
    call_->consume(message.size());
    rpc::RegisterRequest request;
    if (++messages_ > 1 || !request.ParseFromArray(message.data(), static_cast<int>(message.size())))
      finish(Status(Code::kInvalidArgument, "malformed request"));
  }
  void on_half_close() override {
    half_closed_ = true;
    serve();
  }
  void on_cancelled(Status) override { const auto last = std::exchange(keep_, nullptr); }

 private:
  void authenticated(Result<control::AdmittedAgent> agent) {
    if (keep_ == nullptr) return;
    if (!agent) return finish(agent.error());
    call_->caller_is_known();
    agent_ = std::move(*agent);
    serve();
  }
  void serve() {
    if (!half_closed_ || !agent_) return;
    if (messages_ != 1) return finish(Status(Code::kInvalidArgument, "the call carries no request"));
    backend_.agent_seen({.agent_id = agent_->agent.id, .token_id = agent_->token_id});
    call_->send(grpc::MessageView{});
    finish(Status());
  }
  void finish(const Status& status) {
    const auto last = std::exchange(keep_, nullptr);
    if (last != nullptr) call_->finish(status);
  }

  control::Backend& backend_;
  std::unique_ptr<grpc::ServerCall> call_;
  io::Timer limit_;
  std::optional<control::AdmittedAgent> agent_;
  int messages_ = 0;
  bool half_closed_ = false;
  std::shared_ptr<Call> keep_;
};

}  // namespace

grpc::CallHandler handler(control::Backend& backend, control::AgentAuthenticator& authenticator) {
  return [&backend, &authenticator](grpc::IncomingCall incoming) {
    const grpc::Metadata metadata = std::move(incoming.metadata);
    std::make_shared<Call>(backend, std::move(incoming))->start(authenticator, metadata);
  };
}

}  // namespace towline::registrar
