#include "kas/server.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "base/files.h"
#include "base/url.h"
#include "control/agent_authenticator.h"
#include "control/agent_token_watch.h"
#include "control/control_plane.h"
#include "grpc/server.h"
#include "http/host.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/watchdog.h"
#include "kas/front.h"
#include "kas/server_identity.h"
#include "modules/configuration/server/configuration.h"
#include "modules/doctor/server/examination.h"
#include "modules/kubernetes_api/server/proxy.h"
#include "modules/observability/observability.h"
#include "modules/observability/watchdog_metrics.h"
#include "modules/registrar/server/registrar.h"
#include "proto/methods.h"
#include "tunnel/server/router.h"
#include "web/handler.h"

namespace towline::kas {
namespace {

constexpr std::string_view kTunnelPath = "/-/kubernetes-agent/";
constexpr std::string_view kProxyPath = "/-/kubernetes-agent/k8s-proxy/";
// A certificate that an operator renews is in force within this.
constexpr std::chrono::seconds kCertificatePoll{10};

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  return name.data();
}

Result<std::optional<Secret>> optional_secret(const std::string& file) {
  if (file.empty()) return std::nullopt;
  Result<std::string> text = read_file(file);
  if (!text) return fail(text.error());
  while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
  if (const auto secret = one_secret(*text); !secret)
    return fail(Code::kInvalidArgument,
                file + " " + secret.error().message() + ": it must hold one secret on one line");
  return std::optional<Secret>(Secret(std::move(*text)));
}

// Counts requests of the proxy for the metrics.
class ProxyMetrics {
 public:
  explicit ProxyMetrics(observability::Observability& observability)
      : duration_(observability.histogram("kas_proxy_request_duration_seconds",
                                          "Time from a proxied request's head to the end of its answer.", {},
                                          {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 300})) {
    strangers_ = &observability.counter("kas_proxy_strangers_total",
                                        "Proxied requests without a valid credential.", {});
    for (int i = 0; i < 6; ++i) {
      const std::string status = i == 0 ? "none" : std::to_string(i) + "xx";
      for (const bool own : {false, true}) {
        counters_[i][own ? 1 : 0] = &observability.counter(
            "kas_proxy_requests_total", "Proxied requests by status class and by who answered.",
            {{"status", status}, {"answered_by", own ? "kas" : "cluster"}});
      }
    }
  }
  void observe(const kubernetes_api::ProxyObservation& seen) {
    const int klass = seen.http_status >= 100 && seen.http_status < 600 ? seen.http_status / 100 : 0;
    counters_[klass][seen.own_error ? 1 : 0]->add();
    if (seen.stranger) strangers_->add();
    duration_.observe(std::chrono::duration<double>(seen.duration).count());
  }

 private:
  observability::Observability::Histogram& duration_;
  std::array<std::array<observability::Observability::Counter*, 2>, 6> counters_{};
  observability::Observability::Counter* strangers_ = nullptr;
};

class ServerImpl final : public Server {
 public:
  ServerImpl(io::LoopGroup& loops, const Clock& clock, Flags flags, io::Watchdog& watchdog, Logger log)
      : loops_(loops), clock_(clock), flags_(std::move(flags)), watchdog_(watchdog), log_(std::move(log)) {}
  ~ServerImpl() override {
    watchdog_.stop();
    loops_.join();
  }
  ServerImpl(const ServerImpl&) = delete;
  ServerImpl& operator=(const ServerImpl&) = delete;

  Status start() {
    if (Status status = make_data_dir(); !status.ok()) return status;
    if (Status status = start_observability(); !status.ok()) return status;
    if (Status status = start_listening(); !status.ok()) return status;
    if (Status status = open_control_plane(); !status.ok()) return status;
    start_modules();
    watch_certificate();
    front_.open(routes_);
    watchdog_.start();
    ready_ = true;
    log_.info("listening",
              {{"address", address_}, {"external_url", external_url_}, {"version", TOWLINE_VERSION}});
    tell_first_start();
    return {};
  }

  void stop(std::move_only_function<void()> stopped) override {
    ready_ = false;
    log_.info("stopping: running requests may finish");
    host_->drain(std::move(stopped));
  }

 private:
  Status make_data_dir() {
    std::error_code error;
    flags_.data_dir = std::filesystem::absolute(flags_.data_dir, error).string();
    if (!error) std::filesystem::create_directories(flags_.data_dir, error);
    if (error) return Status(Code::kInternal, "--data-dir " + flags_.data_dir + ": " + error.message());
    if (::chmod(flags_.data_dir.c_str(), 0700) != 0)
      return errno_status(errno, "--data-dir " + flags_.data_dir);
    return {};
  }

  Status start_listening() {
    Result<HostPort> listen = parse_host_port(flags_.listen);
    if (!listen) return listen.error().with_prefix("--listen");
    std::string host = host_name();
    if (!flags_.external_url.empty()) {
      Result<Url> url = parse_url(flags_.external_url);
      if (!url) return url.error().with_prefix("--external-url");
      if (url->scheme != "https" && url->scheme != "http") {
        return Status(Code::kInvalidArgument, "--external-url: must begin with https:// or http://");
      }
      // It is told to everybody.
      if (!url->user.empty() || !url->password.empty()) {
        return Status(Code::kInvalidArgument, "--external-url: must not hold a user name or password");
      }
      host = url->host;
    }
    Result<io::TlsServerOptions> identity = server_identity(flags_, host);
    if (!identity) return identity.error();
    auto tls = io::TlsServerContext::create(*identity);
    if (!tls) return flags_.tls_cert_file.empty() ? tls.error() : tls.error().with_prefix("--tls-cert-file");
    tls_ = *tls;
    http::HostOptions options{
        .host = listen->host, .port = listen->port, .tls = tls_, .cleartext = flags_.cleartext};
    options.connection.max_age = std::chrono::seconds(flags_.max_connection_age_seconds);
    // Room for a thousand readers that have stalled, on an agent's connection; beyond that they hold up each
    // other.
    options.connection.limits.connection_window = 64 * 1024 * 1024;
    options.max_connections = flags_.max_connections;
    options.proxies = flags_.trusted_proxies;
    auto started = http::Host::start(loops_, std::move(options), front_, log_);
    if (!started) return started.error().with_prefix("--listen");
    host_ = std::move(*started);
    address_ = (listen->host.empty() ? "0.0.0.0" : listen->host) + ":" + std::to_string(host_->port());
    external_url_ = flags_.external_url.empty() ? "https://" + host + ":" + std::to_string(host_->port())
                                                : flags_.external_url;
    while (external_url_.ends_with('/')) external_url_.pop_back();
    return {};
  }

  Status open_control_plane() {
    Result<std::optional<Secret>> password = optional_secret(flags_.root_password_file);
    if (!password) return password.error().with_prefix("--root-password-file");
    Result<std::optional<Secret>> token = optional_secret(flags_.root_token_file);
    if (!token) return token.error().with_prefix("--root-token-file");
    Result<std::optional<Secret>> database = optional_secret(flags_.database_url_file);
    if (!database) return database.error().with_prefix("--database-url-file");
    if (!*database && !flags_.database_url.empty()) *database = flags_.database_url;
    web_ = web::make_handler(web::assets(), external_url_);
    const bool secure = external_url_.starts_with("https");
    const std::string rest = external_url_.substr(external_url_.find("://"));
    control::ControlPlaneOptions options;
    options.data_dir = flags_.data_dir;
    options.external_url = external_url_;
    options.kas_external_url = (secure ? "wss" : "ws") + rest + std::string(kTunnelPath);
    options.k8s_proxy_external_url = external_url_ + std::string(kProxyPath);
    options.database_url = std::move(*database);
    Result<std::string> ca = announced_ca(flags_, external_url_);
    if (!ca) return ca.error().with_prefix("--external-ca");
    options.ca_certificate = std::move(*ca);
    options.agent_image = flags_.agent_image;
    options.token_life = std::chrono::days(flags_.token_lifetime_days);
    options.audit_life = std::chrono::days(flags_.audit_days);
    options.outbound = flags_.outbound;
    options.limits = flags_.repositories;
    options.root_password = std::move(*password);
    options.root_token = std::move(*token);
    options.log = log_;
    options.clock = &clock_;
    auto opened = control::ControlPlane::open(std::move(options));
    if (!opened) return opened.error();
    control_ = std::move(*opened);
    watchdog_.watch([this] { return control_->running(); });
    return {};
  }

  void start_modules() {
    control::Backend& backend = control_->backend();
    authenticator_ = std::make_unique<control::AgentAuthenticator>(
        backend, clock_,
        control::AgentAuthenticator::Options{.per_minute = flags_.agent_connections_per_token_minute});
    token_watch_ = std::make_unique<control::AgentTokenWatch>(loops_.at(0), backend, *authenticator_);
    token_watch_->start();
    router_ = tunnel::Router::create(
        {.max_calls_per_agent = flags_.max_requests_per_agent},
        [this](grpc::ServerCall& call, const grpc::Metadata& metadata, auto answer) {
          authenticator_->authenticate(
              {.loop = call.loop(), .peer = call.peer(), .connection = call.liveness()}, metadata,
              control::AgentAuthenticator::Method::kTunnel, [answer = std::move(answer)](auto agent) mutable {
                if (!agent) return answer(fail(std::move(agent.error())));
                answer(tunnel::TunnelOwner{.agent_id = agent->agent.id,
                                           .token_id = agent->token_id,
                                           .ended = std::move(agent->ended)});
              });
        },
        log_);
    revocations_ = backend.subscribe([router = router_](const control::Event& event) {
      if (const auto* revoked = std::get_if<control::AgentTokenRevoked>(&event)) {
        router->disconnect(revoked->agent_id, revoked->token_id);
      }
    });
    configuration_ = configuration::ConfigurationServer::create({.external_url = external_url_}, backend,
                                                                *authenticator_, log_);
    examination_ = doctor::Examination::create(router_);
    control_->set_agent_doctor(*examination_);
    proxy_metrics_ = std::make_unique<ProxyMetrics>(*observability_);
    const auto path = external_url_.find('/', external_url_.find("://") + 3);
    kubernetes_api::ProxyOptions proxy;
    // Half of what an agent may have; where that is little, there are few people.
    proxy.requests_per_user = std::max<std::size_t>(64, flags_.max_requests_per_agent / 2);
    if (path != std::string::npos) proxy.external_path = external_url_.substr(path);
    proxy_ = kubernetes_api::Proxy::create(std::move(proxy), backend, router_, clock_, log_,
                                           [this](const auto& seen) { proxy_metrics_->observe(seen); });
    const auto serve = [this](const char* method, grpc::CallHandler handler, std::size_t max_message) {
      grpc_.add(method, std::move(handler), {.max_message = max_message, .guarded = true});
    };
    serve(method::kConnect, router_->connect_handler(), tunnel::kMaxDescriptor);
    serve(method::kGetConfiguration, configuration_->handler(), configuration::kMaxRequest);
    for (const char* method : {method::kRegister, method::kUnregister})
      serve(method, registrar::handler(backend, *authenticator_), registrar::kMaxRequest);
    routes_ = {.api = &control_->api(),
               .git = &control_->git(),
               .proxy = proxy_.get(),
               .grpc = &grpc_,
               .web = web_.get(),
               .proxy_url = external_url_ + std::string(kProxyPath),
               .tunnel = [this](io::Loop& loop, std::unique_ptr<io::Stream> stream) {
                 // An agent's protocol and nothing else: what a WebSocket may carry any web page may send.
                 host_->adopt_http2(loop, std::move(stream), grpc_);
               }};
    add_gauges();
  }

  void add_gauges() {
    const auto count = [this](const char* name, const char* help, auto member) {
      observability_->gauge(name, help,
                            [this, member] { return static_cast<double>(router_->counts().*member); });
    };
    count("kas_agents_connected", "Agents that are connected.", &tunnel::Router::Counts::agents);
    count("kas_tunnels_idle", "Tunnels that wait for a request.", &tunnel::Router::Counts::idle_tunnels);
    count("kas_tunnels_busy", "Tunnels that carry a request.", &tunnel::Router::Counts::busy_tunnels);
    count("kas_calls_waiting", "Requests that wait for a tunnel.", &tunnel::Router::Counts::waiting_calls);
    observability_->gauge("kas_connections", "Connections of all kinds.",
                          [this] { return static_cast<double>(host_->connections()); });
    observability_->gauge("kas_configuration_calls", "Agents that follow their configuration.",
                          [this] { return static_cast<double>(configuration_->open_calls()); });
  }

  Status start_observability() {
    observability_ = observability::Observability::create(
        [this] {
          return ready_ ? Status() : Status(Code::kUnavailable, "the server is starting or stopping");
        },
        [this] { return watchdog_.alive(); });
    observability_->add_process_metrics();
    observability::add_watchdog_metrics(*observability_, "kas", watchdog_);
    Result<HostPort> address = parse_host_port(flags_.observability_listen);
    if (!address) return address.error().with_prefix("--observability-listen");
    http::HostOptions options{.host = address->host, .port = address->port};
    options.cleartext = http::Cleartext::kAllow;
    options.max_connections = 256;
    auto started = http::Host::start(loops_, std::move(options), *observability_, log_);
    if (!started) return started.error().with_prefix("--observability-listen");
    observability_host_ = std::move(*started);
    log_.info("observability", {{"port", observability_host_->port()}});
    return {};
  }

  // The files that flags name are read again when they change; the own certificate is renewed at start.
  void watch_certificate() {
    if (flags_.tls_cert_file.empty()) return;
    loops_.at(0).post([this] {
      certificate_time_ = certificate_time();
      certificate_timer_.start(kCertificatePoll);
    });
  }
  std::filesystem::file_time_type certificate_time() const {
    std::error_code error;
    return std::filesystem::last_write_time(flags_.tls_cert_file, error);
  }
  void check_certificate() {
    certificate_timer_.start(kCertificatePoll);
    const auto time = certificate_time();
    if (time == certificate_time_) return;
    Result<io::TlsServerOptions> identity = server_identity(flags_, "");
    const Status status = identity ? tls_->replace(*identity) : identity.error();
    if (!status.ok()) {
      log_.error("the new certificate cannot be used; the old one stays in force",
                 {{"error", status.message()}});
      return;
    }
    certificate_time_ = time;
    log_.info("certificate replaced", {{"file", flags_.tls_cert_file}});
  }

  // To standard output, once: it is for the one who starts the server, and logs go elsewhere.
  void tell_first_start() {
    const auto& first = control_->first_start();
    if (!first) return;
    if (flags_.root_password_file.empty()) {
      std::printf("First start. User: %s  password: %s\n", first->username.c_str(),
                  first->password.reveal().c_str());
    }
    if (flags_.root_token_file.empty()) {
      std::printf("Access token of %s: %s\n", first->username.c_str(), first->token.reveal().c_str());
    }
    std::fflush(stdout);
  }

  io::LoopGroup& loops_;
  const Clock& clock_;
  Flags flags_;
  io::Watchdog& watchdog_;
  Logger log_;
  std::string address_;
  std::string external_url_;
  std::atomic<bool> ready_{false};

  std::shared_ptr<io::TlsServerContext> tls_;
  std::filesystem::file_time_type certificate_time_{};
  io::Timer certificate_timer_{loops_.at(0), [this] { check_certificate(); }};

  std::unique_ptr<doctor::Examination> examination_;
  std::unique_ptr<control::ControlPlane> control_;
  std::unique_ptr<control::AgentAuthenticator> authenticator_;
  std::unique_ptr<control::AgentTokenWatch> token_watch_;
  std::shared_ptr<tunnel::Router> router_;
  std::unique_ptr<control::Backend::Subscription> revocations_;
  std::unique_ptr<configuration::ConfigurationServer> configuration_;
  std::unique_ptr<observability::Observability> observability_;
  std::unique_ptr<ProxyMetrics> proxy_metrics_;
  std::unique_ptr<kubernetes_api::Proxy> proxy_;
  grpc::Server grpc_;
  std::unique_ptr<http::RequestHandler> web_;
  Routes routes_;
  Front front_{flags_.trusted_proxies};
  std::unique_ptr<http::Host> observability_host_;
  std::unique_ptr<http::Host> host_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(io::LoopGroup& loops, const Clock& clock, Flags flags,
                                              io::Watchdog& watchdog, Logger log) {
  auto server = std::make_unique<ServerImpl>(loops, clock, std::move(flags), watchdog, std::move(log));
  if (Status status = server->start(); !status.ok()) return fail(std::move(status));
  return server;
}

}  // namespace towline::kas
