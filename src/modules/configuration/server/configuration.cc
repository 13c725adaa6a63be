#include "modules/configuration/server/configuration.h"

#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/encoding.h"
#include "base/text.h"
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
        timer_(loop_, [this] { on_timer(); }) {}

  void start();
  void on_message(grpc::MessageView message) override;
  void on_half_close() override {
    requested_ = true;
    serve();
  }
  void on_cancelled(Status) override { finish(Status()); }

  // From any thread.
  void changed(std::int64_t project_id) {
    loop_.post([weak = weak_from_this(), project_id] {
      const auto self = weak.lock();
      if (self && self->serving_ && self->agent_.agent.project_id == project_id) self->refresh();
    });
  }
  void revoked(std::int64_t agent_id, std::int64_t token_id) {
    loop_.post([weak = weak_from_this(), agent_id, token_id] {
      const auto self = weak.lock();
      if (self && self->entered_ && self->agent_.token_id == token_id && self->agent_.agent.id == agent_id)
        self->lose();
    });
  }

 private:
  struct Meta {
    std::string version, commit_id, pod_namespace, pod_name;
  };

  void on_timer();
  void authenticated(Result<control::AdmittedAgent> agent);
  void lose();
  void serve();
  void refresh();
  void send(const control::AgentConfiguration& configuration);
  void seen();
  void finish(const Status& status);

  std::shared_ptr<Shared> shared_;
  grpc::Metadata metadata_;
  std::unique_ptr<grpc::ServerCall> call_;
  io::Loop& loop_;
  io::Timer timer_;  // for the request, and then for the next poll
  Meta meta_;
  control::AdmittedAgent agent_;
  bool has_message_ = false;
  bool requested_ = false;
  bool entered_ = false;  // in shared_->calls, under agent_
  bool serving_ = false;
  bool asking_ = false;
  bool again_ = false;
  std::string sent_commit_;
  const std::int64_t connection_id_ = random_id();  // the same on no two servers
  std::shared_ptr<ConfigurationCall> keep_;
};

struct Shared {
  Shared(ServerOptions o, control::Backend& b, control::AgentAuthenticator& a, Logger l)
      : options(std::move(o)), backend(b), authenticator(a), log(std::move(l)) {}

  ServerOptions options;
  control::Backend& backend;
  control::AgentAuthenticator& authenticator;
  Logger log;
  std::mutex mutex;
  std::unordered_set<std::shared_ptr<ConfigurationCall>> calls;
  std::unordered_map<std::int64_t, std::size_t> calls_of;  // agents

  Status enter(const std::shared_ptr<ConfigurationCall>& call, const control::AdmittedAgent& agent);
  void leave(const std::shared_ptr<ConfigurationCall>& call, std::int64_t agent_id);
  std::vector<std::shared_ptr<ConfigurationCall>> snapshot() {
    const std::lock_guard lock(mutex);
    return {calls.begin(), calls.end()};
  }
};

Status Shared::enter(const std::shared_ptr<ConfigurationCall>& call, const control::AdmittedAgent& agent) {
  const std::lock_guard lock(mutex);
  std::size_t& of_agent = calls_of[agent.agent.id];
  if (of_agent >= options.max_calls_per_agent) {
    return {Code::kResourceExhausted,
            "the agent follows its configuration " + std::to_string(of_agent) +
                " times at once, the limit: look for other agents that have its token"};
  }
  ++of_agent;
  calls.insert(call);
  return {};
}

void Shared::leave(const std::shared_ptr<ConfigurationCall>& call, std::int64_t agent_id) {
  const std::lock_guard lock(mutex);
  calls.erase(call);
  const auto of_agent = calls_of.find(agent_id);
  if (--of_agent->second == 0) calls_of.erase(of_agent);
}

void ConfigurationCall::start() {
  keep_ = shared_from_this();
  call_->set_handler(this);
  timer_.start(shared_->options.request_time);
  shared_->authenticator.authenticate({.loop = loop_, .peer = call_->peer(), .connection = call_->liveness()},
                                      metadata_, control::AgentAuthenticator::Method::kConfiguration,
                                      [weak = weak_from_this()](auto agent) {
                                        if (const auto self = weak.lock())
                                          self->authenticated(std::move(agent));
                                      });
}

void ConfigurationCall::on_message(grpc::MessageView message) {
  call_->consume(message.size());
  rpc::ConfigurationRequest request;
  if (std::exchange(has_message_, true) ||
      !request.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    return finish(Status(Code::kInvalidArgument, "malformed ConfigurationRequest"));
  }
  const auto& meta = request.agent_meta();
  meta_ = {.version = printable(meta.version(), kMaxMeta),
           .commit_id = printable(meta.commit_id(), kMaxMeta),
           .pod_namespace = printable(meta.pod_namespace(), kMaxMeta),
           .pod_name = printable(meta.pod_name(), kMaxMeta)};
  sent_commit_ = printable(request.commit_id(), kMaxMeta);
}

void ConfigurationCall::on_timer() {
  if (serving_) return refresh();
  finish(Status(Code::kDeadlineExceeded, "the request has not come in time"));
}

void ConfigurationCall::authenticated(Result<control::AdmittedAgent> agent) {
  if (!call_) return;
  if (!agent) return finish(agent.error());
  agent_ = std::move(*agent);
  if (Status status = shared_->enter(shared_from_this(), agent_); !status.ok()) return finish(status);
  entered_ = true;
  // A revocation that came before the call was entered has not found it.
  if (agent_.ended->load()) return lose();
  call_->caller_is_known();
  if (requested_) serve();
}

void ConfigurationCall::lose() {
  if (call_) call_->close_connection();
  finish(Status(Code::kUnauthenticated, "the agent's token was revoked"));
}

void ConfigurationCall::serve() {
  if (!requested_ || !entered_ || serving_) return;
  serving_ = true;
  shared_->log.info("agent connected", {{"agent_id", agent_.agent.id},
                                        {"agent", agent_.agent.name},
                                        {"project", agent_.agent.project_path},
                                        {"version", meta_.version},
                                        {"pod", meta_.pod_name},
                                        {"peer", call_->peer()}});
  refresh();
}

void ConfigurationCall::seen() {
  shared_->backend.agent_seen({.agent_id = agent_.agent.id,
                               .token_id = agent_.token_id,
                               .connection_id = connection_id_,
                               .version = meta_.version,
                               .commit_id = meta_.commit_id,
                               .pod_namespace = meta_.pod_namespace,
                               .pod_name = meta_.pod_name});
}

void ConfigurationCall::refresh() {
  timer_.start(kPoll);
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
  timer_.cancel();
  if (call_ && !status.ok()) call_->finish(status);
  call_.reset();
  if (!entered_) return;
  shared_->leave(self, agent_.agent.id);
  if (!serving_) return;
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
                                                                 Logger log) {
  return std::make_unique<ConfigurationServerImpl>(
      std::make_shared<Shared>(std::move(options), backend, authenticator, std::move(log)));
}

}  // namespace towline::configuration
