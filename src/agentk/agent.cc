#include "agentk/agent.h"

#include <atomic>
#include <future>
#include <optional>
#include <utility>

#include "agentk/first_connection.h"
#include "agentk/leadership.h"
#include "agentk/server_side.h"
#include "agentk/session.h"
#include "base/encoding.h"
#include "base/files.h"
#include "base/url.h"
#include "grpc/server.h"
#include "http/host.h"
#include "io/address.h"
#include "io/dial.h"
#include "io/http_proxy.h"
#include "io/loop.h"
#include "io/tls.h"
#include "io/watchdog.h"
#include "kube/client.h"
#include "modules/configuration/agent/configuration.h"
#include "modules/doctor/agent/doctor.h"
#include "modules/kubernetes_api/agent/make_request.h"
#include "modules/observability/observability.h"
#include "modules/observability/watchdog_metrics.h"
#include "modules/registrar/agent/registration.h"
#include "proto/agentcfg.pb.h"
#include "proto/entity.pb.h"
#include "proto/methods.h"
#include "tunnel/agent/connector.h"
#include "tunnel/agent/tunnels.h"

namespace towline::agentk {
namespace {

class AgentImpl final : public Agent {
 public:
  AgentImpl(io::LoopGroup& loops, Flags flags, io::Watchdog& watchdog, GiveUp give_up, Logger log)
      : loops_(loops),
        loop_(loops.at(0)),
        flags_(std::move(flags)),
        watchdog_(watchdog),
        give_up_(std::move(give_up)),
        log_(std::move(log)),
        workers_(1) {}
  ~AgentImpl() override {
    watchdog_.stop();
    loops_.join();
  }
  AgentImpl(const AgentImpl&) = delete;
  AgentImpl& operator=(const AgentImpl&) = delete;

  Status start() {
    Result<tunnel::ConnectorOptions> options = connector_options(server_);
    if (!options) return options.error();
    Result<kube::ClusterConfig> cluster = kube::load_config(flags_.kube, workers_);
    if (!cluster) return cluster.error();
    log_.info("starting", {{"version", TOWLINE_VERSION},
                           {"server", options->address.authority()},
                           {"kubernetes_api", cluster->server.authority()},
                           {"credentials", cluster->origin}});
    if (Status status = start_observability(); !status.ok()) return status;
    std::promise<void> started;
    loop_.post([&] {
      run(std::move(*options), std::move(*cluster));
      started.set_value();
    });
    started.get_future().get();
    watchdog_.start();
    return {};
  }

  void stop(std::move_only_function<void()> stopped) override {
    loop_.post([this, stopped = std::move(stopped)]() mutable {
      stopping_ = true;
      stopped_ = std::move(stopped);
      log_.info("stopping: running requests may finish");
      first_connection_.reset();
      connector_->stop([this] { step(); });
      if (leadership_ == nullptr) return step();
      leadership_->stop([this] { step(); });
    });
  }

 private:
  // Stopped are the connector and the leadership.
  void step() {
    if (++steps_ == 2) std::exchange(stopped_, {})();
  }

  // The cluster's API is near and dialled directly; the server may be behind a proxy.
  void run(tunnel::ConnectorOptions options, kube::ClusterConfig cluster) {
    kube_dialer_ = io::direct_dialer(*resolver_);
    if (const Url* proxy =
            server_.proxies->proxy_for(options.address.host, options.address.port, options.tls != nullptr)) {
      log_.info("the server is reached through an HTTP proxy",
                {{"proxy", io::join_host_port(proxy->host, proxy->port)}});
    }
    server_dialer_ = io::proxy_dialer(*kube_dialer_, *server_.proxies, *server_.proxy_tls);
    doctor::ClusterSide cluster_side{.problem = {},
                                     .client = nullptr,
                                     .address = cluster.server.authority(),
                                     .credentials = cluster.origin,
                                     .namespace_ = server_.pod_namespace};
    client_ = kube::make_client(loop_, *kube_dialer_, std::move(cluster), {}, log_);
    cluster_side.client = client_.get();
    doctor_ = doctor::Doctor::create(loop_, server_, std::move(cluster_side));
    first_connection_.emplace(loop_, *doctor_, std::chrono::seconds(flags_.startup_timeout_seconds), give_up_,
                              log_);
    const PodIdentity pod = PodIdentity::from_environment();
    if (pod.known()) leadership_ = Leadership::create(loop_, *client_, pod, log_);
    methods_.add(method::kMakeRequest, kubernetes_api::make_request_handler(*client_, {}));
    methods_.add(method::kExamine, doctor::examine_handler(*doctor_));
    state_->on_refused = [this] { failed(); };
    options.on_failed = [this] { failed(); };
    connector_ = tunnel::Connector::start(
        loop_, *server_dialer_, std::move(options),
        [this](grpc::Channel& channel) { return make_session(channel); }, log_);
  }
  void failed() {
    if (first_connection_) first_connection_->failed();
  }

  std::unique_ptr<tunnel::Session> make_session(grpc::Channel& channel) {
    const auto meta = doctor::agent_meta(server_);
    auto session = std::make_unique<Session>(
        configuration::follow_configuration(
            loop_, channel, state_, meta,
            [this](const auto& configuration, const std::string& commit) { apply(configuration, commit); },
            log_),
        registrar::register_agent(loop_, channel, meta, pod_id_, log_),
        tunnel::start_tunnels(loop_, channel, methods_, {.max_streams = flags_.max_streams}, log_),
        [this](Session* gone) {
          if (session_ == gone) session_ = nullptr;
          update_gauges();
        });
    session_ = session.get();
    gauges_timer_.start(std::chrono::milliseconds(50));
    return session;
  }

  void apply(const ::gitlab::agent::agentcfg::AgentConfiguration& configuration, const std::string& commit) {
    static constexpr LogLevel kLevels[] = {LogLevel::kInfo, LogLevel::kDebug, LogLevel::kWarn,
                                           LogLevel::kError};
    const auto level = static_cast<std::size_t>(configuration.observability().logging().level());
    if (configuration.observability().has_logging() && level < std::size(kLevels))
      log_.set_level(kLevels[level]);
    log_.info("configuration applied", {{"commit_id", commit},
                                        {"agent_id", configuration.agent_id()},
                                        {"project", configuration.project_path()}});
    if (first_connection_) first_connection_->succeeded();
    if (leadership_) leadership_->configured(configuration.agent_id(), configuration.project_path(), commit);
  }

  // Readiness is asked for from the observability's loop; the same one today, but it need not be.
  void update_gauges() {
    idle_tunnels_ = session_ == nullptr ? 0 : session_->idle_tunnels();
    busy_tunnels_ = session_ == nullptr ? 0 : session_->busy_tunnels();
    connected_ = connector_ != nullptr && connector_->connected();
    leads_ = leadership_ != nullptr && leadership_->leads();
    if (!stopping_)
      gauges_timer_.start(std::chrono::milliseconds(connected_ && idle_tunnels_ > 0 ? 1000 : 50));
  }

  Status readiness() const {
    if (!connected_) return Status(Code::kUnavailable, "not connected to the server");
    if (state_->refused) return Status(Code::kUnavailable, "the server refuses the agent's token");
    if (idle_tunnels_ + busy_tunnels_ == 0)
      return Status(Code::kUnavailable, "the server has no tunnel to this agent");
    return {};
  }

  Status start_observability() {
    observability_ = observability::Observability::create([this] { return readiness(); },
                                                          [this] { return watchdog_.alive(); });
    observability_->add_process_metrics();
    observability::add_watchdog_metrics(*observability_, "agentk", watchdog_);
    observability_->gauge("agentk_tunnels_idle", "Tunnels open and waiting for a request.",
                          [this] { return static_cast<double>(idle_tunnels_.load()); });
    observability_->gauge("agentk_tunnels_busy", "Tunnels that carry a request.",
                          [this] { return static_cast<double>(busy_tunnels_.load()); });
    observability_->gauge("agentk_connected", "1 while the agent is connected to its server.",
                          [this] { return connected_ ? 1.0 : 0.0; });
    observability_->gauge("agentk_leader", "1 while this pod does what one pod of the agent must do.",
                          [this] { return leads_ ? 1.0 : 0.0; });
    Result<HostPort> address = parse_host_port(flags_.observability_listen_address);
    if (!address) return address.error().with_prefix("--observability-listen-address");
    http::HostOptions options{.host = address->host, .port = address->port};
    options.connection.limits.streams = 16;
    options.max_connections = 64;
    options.cleartext = http::Cleartext::kAllow;
    if (!flags_.observability_cert_file.empty()) {
      Result<std::string> certificate = read_file(flags_.observability_cert_file);
      Result<std::string> key = read_file(flags_.observability_key_file);
      if (!certificate) return certificate.error().with_prefix("--observability-cert-file");
      if (!key) return key.error().with_prefix("--observability-key-file");
      auto tls = io::TlsServerContext::create({.identity = {*certificate, Secret(*key)}});
      if (!tls) return tls.error().with_prefix("--observability-cert-file");
      options.tls = std::move(*tls);
      options.cleartext = http::Cleartext::kDeny;
    }
    auto host = http::Host::start(loops_, std::move(options), *observability_, log_);
    if (!host) return host.error().with_prefix("--observability-listen-address");
    observability_host_ = std::move(*host);
    return {};
  }

  io::LoopGroup& loops_;
  io::Loop& loop_;
  Flags flags_;
  io::Watchdog& watchdog_;
  GiveUp give_up_;
  Logger log_;
  io::WorkerPool workers_;
  const std::int64_t pod_id_ = random_id();
  std::unique_ptr<observability::Observability> observability_;
  std::unique_ptr<http::Host> observability_host_;
  std::unique_ptr<io::Resolver> resolver_ = io::system_resolver();
  const doctor::ServerSide server_ = server_side(flags_, *resolver_);
  std::unique_ptr<io::Dialer> kube_dialer_;
  std::unique_ptr<io::Dialer> server_dialer_;
  std::unique_ptr<kube::Client> client_;
  std::unique_ptr<doctor::Doctor> doctor_;
  std::optional<FirstConnection> first_connection_;
  std::unique_ptr<Leadership> leadership_;
  grpc::Server methods_;
  std::shared_ptr<configuration::ConfigurationState> state_ =
      std::make_shared<configuration::ConfigurationState>();
  Session* session_ = nullptr;
  io::Timer gauges_timer_{loop_, [this] { update_gauges(); }};
  std::atomic<std::size_t> idle_tunnels_{0};
  std::atomic<std::size_t> busy_tunnels_{0};
  std::atomic<bool> connected_{false};
  std::atomic<bool> leads_{false};
  bool stopping_ = false;
  int steps_ = 0;
  std::move_only_function<void()> stopped_;
  std::unique_ptr<tunnel::Connector> connector_;
};

}  // namespace

Result<std::unique_ptr<Agent>> Agent::start(io::LoopGroup& loops, Flags flags, io::Watchdog& watchdog,
                                            GiveUp give_up, Logger log) {
  auto agent =
      std::make_unique<AgentImpl>(loops, std::move(flags), watchdog, std::move(give_up), std::move(log));
  if (Status status = agent->start(); !status.ok()) return fail(std::move(status));
  return agent;
}

}  // namespace towline::agentk
