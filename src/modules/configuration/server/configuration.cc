#include "modules/configuration/server/configuration.h"

#include <mutex>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/encoding.h"
#include "io/loop.h"
#include "proto/agent_configuration.pb.h"
#include "proto/agentcfg.pb.h"

namespace towline::configuration {
namespace {

namespace rpc = ::gitlab::agent::agent_configuration::rpc;
namespace agentcfg = ::gitlab::agent::agentcfg;

// A change whose event was lost is found after this.
constexpr std::chrono::minutes kPoll{5};

struct Shared;

// One agent's call. Keeps itself until it is over.
class ConfigurationCall final : public grpc::ServerCallHandler,
                                public std::enable_shared_from_this<ConfigurationCall> {
 public:
  ConfigurationCall(std::shared_ptr<Shared> shared, grpc::IncomingCall incoming)
      : shared_(std::move(shared)),
        metadata_(std::move(incoming.metadata)),
        call_(std::move(incoming.call)),
        loop_(call_->loop()),
        poll_(loop_, [this] { refresh(); }) {}

  void start() {
    keep_ = shared_from_this();
    call_->set_handler(this);
  }
  void on_message(grpc::MessageView message) override {
    call_->consume(message.size());
    if (!request_.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
      finish(Status(Code::kInvalidArgument, "malformed ConfigurationRequest"));
    }
  }
  void on_half_close() override { authenticate(); }
  void on_cancelled(Status) override { finish(Status()); }

  // From any thread.
  void changed(std::int64_t project_id) {
    loop_.post([weak = weak_from_this(), project_id] {
      const auto self = weak.lock();
      if (self && self->known_ && self->agent_.agent.project_id == project_id) self->refresh();
    });
  }
  void revoked(std::int64_t agent_id, std::int64_t token_id) {
    loop_.post([weak = weak_from_this(), agent_id, token_id] {
      const auto self = weak.lock();
      if (!self || !self->known_ || self->agent_.agent.id != agent_id || self->agent_.token_id != token_id)
        return;
      if (self->call_) self->call_->close_connection();
      self->finish(Status(Code::kUnauthenticated, "the agent's token was revoked"));
    });
  }

 private:
  void authenticate();
  void authenticated(Result<control::AuthenticatedAgent> agent);
  void refresh();
  void send(const control::AgentConfiguration& configuration);
  void seen();
  void finish(const Status& status);

  std::shared_ptr<Shared> shared_;
  grpc::Metadata metadata_;
  std::unique_ptr<grpc::ServerCall> call_;
  io::Loop& loop_;
  io::Timer poll_;
  rpc::ConfigurationRequest request_;
  control::AuthenticatedAgent agent_;
  bool known_ = false;
  bool asking_ = false;
  bool again_ = false;
  std::string sent_commit_;
  const std::int64_t connection_id_ = random_id();  // the same on no two servers
  std::shared_ptr<ConfigurationCall> keep_;
};

struct Shared {
  Shared(ServerOptions o, control::Backend& b, control::AgentAuthenticator& a, const Clock& clock, Logger l)
      : options(std::move(o)),
        backend(b),
        authenticator(a),
        limiter(clock, options.calls_per_minute),
        log(std::move(l)) {}

  ServerOptions options;
  control::Backend& backend;
  control::AgentAuthenticator& authenticator;
  control::TokenRateLimiter limiter;
  Logger log;
  std::mutex mutex;
  std::unordered_set<std::shared_ptr<ConfigurationCall>> calls;

  std::vector<std::shared_ptr<ConfigurationCall>> snapshot() {
    const std::lock_guard lock(mutex);
    return {calls.begin(), calls.end()};
  }
};

void ConfigurationCall::authenticate() {
  shared_->authenticator.authenticate(loop_, metadata_, [weak = weak_from_this()](auto agent) {
    if (const auto self = weak.lock()) self->authenticated(std::move(agent));
  });
}

void ConfigurationCall::authenticated(Result<control::AuthenticatedAgent> agent) {
  if (!call_) return;
  if (!agent) return finish(agent.error());
  if (!shared_->limiter.allow(agent->token_id)) {
    return finish(
        Status(Code::kResourceExhausted, "this token has made too many connections in the last minute"));
  }
  agent_ = std::move(*agent);
  known_ = true;
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->calls.insert(shared_from_this());
  }
  sent_commit_ = request_.commit_id();
  shared_->log.info("agent connected", {{"agent_id", agent_.agent.id},
                                        {"agent", agent_.agent.name},
                                        {"project", agent_.agent.project_path},
                                        {"version", request_.agent_meta().version()},
                                        {"pod", request_.agent_meta().pod_name()},
                                        {"peer", call_->peer()}});
  refresh();
}

void ConfigurationCall::seen() {
  shared_->backend.agent_seen({.agent_id = agent_.agent.id,
                               .token_id = agent_.token_id,
                               .connection_id = connection_id_,
                               .version = request_.agent_meta().version(),
                               .commit_id = request_.agent_meta().commit_id(),
                               .pod_namespace = request_.agent_meta().pod_namespace(),
                               .pod_name = request_.agent_meta().pod_name()});
}

void ConfigurationCall::refresh() {
  poll_.start(kPoll);
  seen();
  if (asking_) {
    again_ = true;  // the answer on its way may be older than the change
    return;
  }
  asking_ = true;
  shared_->backend.agent_configuration(loop_, agent_.agent.id, [weak = weak_from_this()](auto configuration) {
    const auto self = weak.lock();
    if (!self || !self->call_) return;
    self->asking_ = false;
    if (!configuration) return self->finish(configuration.error());
    self->send(*configuration);
    if (std::exchange(self->again_, false)) self->refresh();
  });
}

void ConfigurationCall::send(const control::AgentConfiguration& configuration) {
  if (configuration.commit_id == sent_commit_) return;
  sent_commit_ = configuration.commit_id;
  const agentcfg::ConfigurationFile& file = *configuration.file;
  rpc::ConfigurationResponse response;
  response.set_commit_id(configuration.commit_id);
  agentcfg::AgentConfiguration& out = *response.mutable_configuration();
  out.set_agent_id(configuration.agent.id);
  out.set_project_id(configuration.agent.project_id);
  out.set_project_path(configuration.agent.project_path);
  out.set_gitlab_external_url(shared_->options.external_url);
  // Agents of the original expect these sections to be there.
  *out.mutable_observability() = file.observability();
  out.mutable_observability()->mutable_logging();
  out.mutable_flux();
  if (file.has_flux()) *out.mutable_flux() = file.flux();
  if (file.has_ci_access()) *out.mutable_ci_access() = file.ci_access();
  const std::string bytes = response.SerializeAsString();
  call_->send(grpc::message_view(bytes));
}

void ConfigurationCall::finish(const Status& status) {
  const auto self = std::exchange(keep_, nullptr);
  if (!self) return;
  poll_.cancel();
  if (call_ && !status.ok()) call_->finish(status);
  call_.reset();
  if (!known_) return;
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->calls.erase(self);
  }
  shared_->log.info("agent disconnected", {{"agent_id", agent_.agent.id}, {"agent", agent_.agent.name}});
  shared_->backend.agent_gone(agent_.agent.id, connection_id_);
}

class ConfigurationServerImpl final : public ConfigurationServer {
 public:
  explicit ConfigurationServerImpl(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {
    subscription_ = shared_->backend.subscribe([shared = shared_](const control::Event& event) {
      if (const auto* changed = std::get_if<control::ConfigurationChanged>(&event)) {
        for (const auto& call : shared->snapshot()) call->changed(changed->project_id);
      } else if (const auto* revoked = std::get_if<control::AgentTokenRevoked>(&event)) {
        for (const auto& call : shared->snapshot()) call->revoked(revoked->agent_id, revoked->token_id);
      }
    });
  }
  grpc::CallHandler handler() override {
    return [shared = shared_](grpc::IncomingCall call) {
      std::make_shared<ConfigurationCall>(shared, std::move(call))->start();
    };
  }
  std::size_t open_calls() const override {
    const std::lock_guard lock(shared_->mutex);
    return shared_->calls.size();
  }

 private:
  std::shared_ptr<Shared> shared_;
  std::unique_ptr<control::Backend::Subscription> subscription_;
};

}  // namespace

std::unique_ptr<ConfigurationServer> ConfigurationServer::create(ServerOptions options,
                                                                 control::Backend& backend,
                                                                 control::AgentAuthenticator& authenticator,
                                                                 const Clock& clock, Logger log) {
  return std::make_unique<ConfigurationServerImpl>(
      std::make_shared<Shared>(std::move(options), backend, authenticator, clock, std::move(log)));
}

}  // namespace towline::configuration
