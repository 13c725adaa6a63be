#include "agentk/agent.h"

#include <atomic>
#include <cstdlib>
#include <future>
#include <utility>

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
#include "kube/client.h"
#include "modules/configuration/agent/configuration.h"
#include "modules/kubernetes_api/agent/make_request.h"
#include "modules/kubernetes_api/wire.h"
#include "modules/observability/observability.h"
#include "modules/registrar/agent/registration.h"
#include "proto/agentcfg.pb.h"
#include "proto/entity.pb.h"
#include "tunnel/agent/connector.h"
#include "tunnel/agent/tunnels.h"

namespace towline::agentk {
namespace {

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

::gitlab::agent::entity::AgentMeta agent_meta() {
  ::gitlab::agent::entity::AgentMeta meta;
  meta.set_version("v" TOWLINE_VERSION);
  meta.set_pod_namespace(environment("POD_NAMESPACE"));
  meta.set_pod_name(environment("POD_NAME"));
  return meta;
}

Result<http::Headers> parse_headers(const std::vector<std::string>& lines) {
  http::Headers headers;
  for (const std::string& line : lines) {
    const auto colon = line.find(':');
    if (colon == std::string::npos || colon == 0) {
      return fail(Code::kInvalidArgument, "--kas-header: write 'Name: value'");
    }
    const auto value = line.find_first_not_of(' ', colon + 1);
    headers.add(line.substr(0, colon), value == std::string::npos ? "" : line.substr(value));
  }
  return headers;
}

Result<tunnel::ConnectorOptions> connector_options(const Flags& flags) {
  tunnel::ConnectorOptions options;
  Result<Url> address = tunnel::parse_server_address(flags.kas_address);
  if (!address) return fail(address.error().with_prefix("--kas-address"));
  options.address = std::move(*address);
  Result<Secret> token = read_token(flags);
  if (!token) return fail(token.error());
  options.token = std::move(*token);
  Result<http::Headers> headers = parse_headers(flags.kas_headers);
  if (!headers) return fail(headers.error());
  options.headers = std::move(*headers);
  options.user_agent = "gitlab-agent/v" TOWLINE_VERSION "/towline";
  options.tls_server_name = flags.kas_tls_server_name;
  // The server is trusted with the agent anyway; its streams are bounded by max_streams.
  options.limits.streams = 0;

  io::TlsClientOptions tls;
  tls.insecure_skip_verify = flags.kas_insecure_skip_tls_verify;
  if (!flags.kas_ca_cert_file.empty()) {
    Result<std::string> ca = read_file(flags.kas_ca_cert_file);
    if (!ca) return fail(ca.error().with_prefix("--kas-ca-cert-file"));
    tls.ca = std::move(*ca);
    tls.add_system_ca = true;
  }
  if (options.address.scheme == "grpcs" || options.address.scheme == "wss") {
    auto context = io::TlsClientContext::create(tls);
    if (!context) return fail(context.error().with_prefix("--kas-ca-cert-file"));
    options.tls = std::move(*context);
  }
  return options;
}

// What runs on one connection to the server.
class AgentSession final : public tunnel::Session {
 public:
  AgentSession(std::unique_ptr<configuration::ConfigurationFollower> follower,
               std::unique_ptr<registrar::Registration> registration,
               std::unique_ptr<tunnel::AgentTunnels> tunnels,
               std::move_only_function<void(AgentSession*)> gone)
      : follower_(std::move(follower)),
        registration_(std::move(registration)),
        tunnels_(std::move(tunnels)),
        gone_(std::move(gone)) {}
  ~AgentSession() override { gone_(this); }
  AgentSession(const AgentSession&) = delete;
  AgentSession& operator=(const AgentSession&) = delete;

  void drain(std::move_only_function<void()> drained) override {
    drained_ = std::move(drained);
    follower_.reset();
    registration_->stop([this] { step(); });
    tunnels_->drain([this] { step(); });
  }
  std::size_t idle_tunnels() const { return tunnels_->idle(); }
  std::size_t busy_tunnels() const { return tunnels_->busy(); }

 private:
  void step() {
    if (++steps_ == 2 && drained_) std::exchange(drained_, {})();
  }

  std::unique_ptr<configuration::ConfigurationFollower> follower_;
  std::unique_ptr<registrar::Registration> registration_;
  std::unique_ptr<tunnel::AgentTunnels> tunnels_;
  std::move_only_function<void(AgentSession*)> gone_;
  std::move_only_function<void()> drained_;
  int steps_ = 0;
};

class AgentImpl final : public Agent {
 public:
  AgentImpl(io::LoopGroup& loops, Flags flags, Logger log)
      : loops_(loops), loop_(loops.at(0)), flags_(std::move(flags)), log_(std::move(log)), workers_(1) {}
  ~AgentImpl() override { loops_.join(); }
  AgentImpl(const AgentImpl&) = delete;
  AgentImpl& operator=(const AgentImpl&) = delete;

  Status start() {
    Result<tunnel::ConnectorOptions> options = connector_options(flags_);
    if (!options) return options.error();
    Result<io::ProxySettings> proxies =
        io::ProxySettings::from_environment([](const char* name) { return std::getenv(name); });
    if (!proxies) return proxies.error();
    Result<std::shared_ptr<io::TlsClientContext>> proxy_tls = nullptr;
    if (proxies->any()) proxy_tls = io::TlsClientContext::create({});
    if (!proxy_tls) return proxy_tls.error();
    Result<kube::ClusterConfig> cluster = kube::load_config(flags_.kube, workers_);
    if (!cluster) return cluster.error();
    log_.info("starting", {{"version", TOWLINE_VERSION},
                           {"server", options->address.authority()},
                           {"kubernetes_api", cluster->server.authority()},
                           {"credentials", cluster->origin}});
    if (Status status = start_observability(); !status.ok()) return status;
    std::promise<void> started;
    loop_.post([&] {
      run(std::move(*options), std::move(*cluster), std::move(*proxies), std::move(*proxy_tls));
      started.set_value();
    });
    started.get_future().get();
    return {};
  }

  void stop(std::move_only_function<void()> stopped) override {
    loop_.post([this, stopped = std::move(stopped)]() mutable {
      stopping_ = true;
      log_.info("stopping: running requests may finish");
      connector_->stop(std::move(stopped));
    });
  }

 private:
  // The cluster's API is near and dialled directly; the server may be behind a proxy.
  void run(tunnel::ConnectorOptions options, kube::ClusterConfig cluster, io::ProxySettings proxies,
           std::shared_ptr<io::TlsClientContext> proxy_tls) {
    kube_dialer_ = io::direct_dialer(*resolver_);
    if (const Url* proxy =
            proxies.proxy_for(options.address.host, options.address.port, options.tls != nullptr)) {
      log_.info("the server is reached through an HTTP proxy",
                {{"proxy", io::join_host_port(proxy->host, proxy->port)}});
    }
    server_dialer_ = io::proxy_dialer(*kube_dialer_, std::move(proxies), std::move(proxy_tls));
    client_ = kube::make_client(loop_, *kube_dialer_, std::move(cluster), {}, log_);
    methods_.add(std::string(kubernetes_api::kMakeRequest),
                 kubernetes_api::make_request_handler(*client_, {}));
    connector_ = tunnel::Connector::start(
        loop_, *server_dialer_, std::move(options),
        [this](grpc::Channel& channel) { return make_session(channel); }, log_);
  }

  std::unique_ptr<tunnel::Session> make_session(grpc::Channel& channel) {
    const auto meta = agent_meta();
    auto session = std::make_unique<AgentSession>(
        configuration::follow_configuration(
            loop_, channel, state_, meta,
            [this](const auto& configuration, const std::string& commit) { apply(configuration, commit); },
            log_),
        registrar::register_agent(loop_, channel, meta, pod_id_, log_),
        tunnel::start_tunnels(loop_, channel, methods_, {.max_streams = flags_.max_streams}, log_),
        [this](AgentSession* gone) {
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
  }

  // Readiness is asked for from the observability's loop; the same one today, but it need not be.
  void update_gauges() {
    idle_tunnels_ = session_ == nullptr ? 0 : session_->idle_tunnels();
    busy_tunnels_ = session_ == nullptr ? 0 : session_->busy_tunnels();
    connected_ = connector_ != nullptr && connector_->connected();
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
    observability_ = observability::Observability::create([this] { return readiness(); });
    observability_->add_process_metrics();
    observability_->gauge("agentk_tunnels_idle", "Tunnels open and waiting for a request.",
                          [this] { return static_cast<double>(idle_tunnels_.load()); });
    observability_->gauge("agentk_tunnels_busy", "Tunnels that carry a request.",
                          [this] { return static_cast<double>(busy_tunnels_.load()); });
    observability_->gauge("agentk_connected", "1 while the agent is connected to its server.",
                          [this] { return connected_ ? 1.0 : 0.0; });
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
  Logger log_;
  io::WorkerPool workers_;
  const std::int64_t pod_id_ = random_id();
  std::unique_ptr<observability::Observability> observability_;
  std::unique_ptr<http::Host> observability_host_;
  std::unique_ptr<io::Resolver> resolver_ = io::system_resolver();
  std::unique_ptr<io::Dialer> kube_dialer_;
  std::unique_ptr<io::Dialer> server_dialer_;
  std::unique_ptr<kube::Client> client_;
  grpc::Server methods_;
  std::shared_ptr<configuration::ConfigurationState> state_ =
      std::make_shared<configuration::ConfigurationState>();
  AgentSession* session_ = nullptr;
  io::Timer gauges_timer_{loop_, [this] { update_gauges(); }};
  std::atomic<std::size_t> idle_tunnels_{0};
  std::atomic<std::size_t> busy_tunnels_{0};
  std::atomic<bool> connected_{false};
  bool stopping_ = false;
  std::unique_ptr<tunnel::Connector> connector_;
};

}  // namespace

Result<std::unique_ptr<Agent>> Agent::start(io::LoopGroup& loops, Flags flags, Logger log) {
  auto agent = std::make_unique<AgentImpl>(loops, std::move(flags), std::move(log));
  if (Status status = agent->start(); !status.ok()) return fail(std::move(status));
  return agent;
}

}  // namespace towline::agentk
