#include "modules/doctor/agent/server_checks.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "grpc/client.h"
#include "http/client.h"
#include "http/websocket.h"
#include "io/address.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/tls.h"
#include "modules/doctor/agent/remedies.h"
#include "proto/agent_configuration.pb.h"
#include "proto/entity.pb.h"
#include "proto/methods.h"
#include "tunnel/agent/connector.h"

namespace towline::doctor {
namespace {

using std::chrono::milliseconds;
using tunnel::uses_tls;
using tunnel::uses_websocket;
using StreamResult = Result<std::unique_ptr<io::Stream>>;

constexpr milliseconds kStep{10'000};
// In the order of the checks; see ServerChecks::begin.
constexpr const char* kNames[] = {"address", "dns", "proxy", "tcp", "tls", "websocket", "token"};

bool is_here(const std::string& host) { return host == "localhost" || host == "127.0.0.1" || host == "::1"; }

class ServerChecks final : public io::Operation, private grpc::ClientCallHandler {
 public:
  ServerChecks(io::Loop& loop, const ServerSide& server, Checked done)
      : loop_(loop), server_(server), done_(std::move(done)), next_(loop, [this] { begin(); }) {
    next_.start(milliseconds(0));
  }

 private:
  // Runs the check that is due, from the loop and not from inside the one before.
  void begin() {
    operation_.reset();
    switch (checks_.size()) {
      case 0:
        return check_address();
      case 1:
        return check_dns();
      case 2:
        return check_proxy();
      case 3:
        return check_tcp();
      case 4:
        return check_tls();
      case 5:
        return check_websocket();
      case 6:
        return check_token();
      default:
        return finish();
    }
  }

  void conclude(Verdict verdict, std::string detail, std::string remedy = {}) {
    checks_.push_back({.name = kNames[checks_.size()],
                       .verdict = verdict,
                       .detail = std::move(detail),
                       .remedy = std::move(remedy)});
    if (verdict == Verdict::kFailed) {
      while (checks_.size() < std::size(kNames)) {
        checks_.push_back({.name = kNames[checks_.size()],
                           .verdict = Verdict::kSkipped,
                           .detail = "it comes after what failed",
                           .remedy = {}});
      }
    }
    next_.start(milliseconds(0));
  }
  void finish() {
    stream_.reset();
    Checked done = std::move(done_);
    done(std::move(checks_));
  }

  void check_address() {
    if (!server_.address) {
      return conclude(
          Verdict::kFailed, server_.address.error().message(),
          "write --kas-address (config.kasAddress) as wss://HOST[:PORT]/-/kubernetes-agent/, which "
          "passes web proxies, or as grpcs://HOST:PORT");
    }
    if (!server_.headers) {
      return conclude(Verdict::kFailed, server_.headers.error().message(),
                      "write --kas-header (config.kasHeaders) as 'Name: value'");
    }
    const Url& address = *server_.address;
    if (uses_websocket(address) && !address.path.ends_with('/')) {
      return conclude(Verdict::kWarning, server_.address_text + " does not end with a slash",
                      "end it with a slash, unless the server really has it without");
    }
    if (!uses_tls(address) && !is_here(address.host)) {
      return conclude(Verdict::kWarning,
                      server_.address_text + " is without TLS: the token can be read on the way",
                      "use wss:// or grpcs://, unless the network between is trusted");
    }
    conclude(Verdict::kOk, server_.address_text);
  }

  const Url* proxy() const {
    if (!server_.proxies) return nullptr;
    return server_.proxies->proxy_for(server_.address->host, server_.address->port,
                                      uses_tls(*server_.address));
  }

  void check_dns() {
    const Url& address = *server_.address;
    if (io::parse_address(address.host, address.port))
      return conclude(Verdict::kOk, address.host + " is an address");
    operation_ = server_.resolver->resolve(loop_, address.host, address.port,
                                           [this](auto found) { resolved(std::move(found)); });
  }
  void resolved(Result<std::vector<io::ResolvedAddress>> found) {
    const Url& address = *server_.address;
    if (!found && proxy() != nullptr) {
      return conclude(Verdict::kOk, found.error().message() + "; the proxy resolves it");
    }
    if (!found) return conclude(Verdict::kFailed, found.error().message(), remedy_for_dns(address));
    std::string all;
    for (const io::ResolvedAddress& each : *found) all += (all.empty() ? "" : ", ") + each.ip;
    conclude(Verdict::kOk, address.host + " is " + all);
  }

  void check_proxy() {
    if (!server_.proxies)
      return conclude(Verdict::kFailed, server_.proxies.error().message(), remedy_for_proxy());
    if (!server_.proxy_tls) return conclude(Verdict::kFailed, server_.proxy_tls.error().message());
    direct_ = io::direct_dialer(*server_.resolver);
    const Url* const through = proxy();
    if (through == nullptr) return conclude(Verdict::kOk, "none for this address");
    proxied_ = io::connect_dialer(*direct_, *through, *server_.proxy_tls);
    const std::string name = "HTTP proxy " + io::join_host_port(through->host, through->port);
    io::DialTarget target{.host = through->host, .port = through->port};
    operation_ = direct_->dial(loop_, std::move(target), kStep, [this, name](StreamResult stream) {
      if (stream) return conclude(Verdict::kOk, name + " is reached");
      conclude(Verdict::kFailed, name + ": " + stream.error().message(), remedy_for_proxy());
    });
  }

  io::Dialer& dialer() { return proxied_ ? *proxied_ : *direct_; }

  void check_tcp() {
    io::DialTarget target{.host = server_.address->host, .port = server_.address->port};
    operation_ = dialer().dial(loop_, std::move(target), kStep, [this](StreamResult stream) {
      const Url& address = *server_.address;
      if (!stream) {
        return conclude(Verdict::kFailed, stream.error().message(),
                        remedy_for_connection(stream.error(), address, proxy() != nullptr));
      }
      if (!uses_tls(address)) stream_ = std::move(*stream);
      conclude(Verdict::kOk, address.authority() + " is reached");
    });
  }

  void check_tls() {
    const Url& address = *server_.address;
    if (!uses_tls(address)) return conclude(Verdict::kSkipped, address.scheme + ":// is without TLS");
    if (!server_.tls) {
      return conclude(Verdict::kFailed, server_.tls.error().message(),
                      "--kas-ca-cert-file (config.kasCaCert) must hold certificates in PEM");
    }
    io::DialTarget target{.host = address.host,
                          .port = address.port,
                          .tls = *server_.tls,
                          .tls_server_name = server_.tls_server_name,
                          .alpn = {uses_websocket(address) ? "http/1.1" : "h2"}};
    operation_ = dialer().dial(loop_, std::move(target), kStep, [this](StreamResult stream) {
      if (!stream) {
        return conclude(Verdict::kFailed, stream.error().message(),
                        remedy_for_tls(stream.error(), *server_.address));
      }
      stream_ = std::move(*stream);
      conclude(Verdict::kOk, "the server's certificate is accepted");
    });
  }

  void check_websocket() {
    const Url& address = *server_.address;
    if (!uses_websocket(address)) return conclude(Verdict::kSkipped, address.scheme + ":// needs none");
    operation_ = http::connect_websocket(
        loop_, std::move(stream_), tunnel::websocket_target(address, *server_.headers, server_.user_agent),
        kStep, [this](StreamResult stream) {
          if (!stream) {
            return conclude(Verdict::kFailed, stream.error().message(),
                            remedy_for_websocket(stream.error(), *server_.address));
          }
          stream_ = std::move(*stream);
          conclude(Verdict::kOk, "the server accepts it");
        });
  }

  // Asks for the agent's configuration, as the agent does first of all.
  void check_token() {
    Result<Secret> token = server_.token();
    if (!token)
      return conclude(Verdict::kFailed, token.error().message(),
                      remedy_for_token({Code::kUnauthenticated, ""}));
    http_ = http::connect_http2(loop_, std::move(stream_), {}, [](const Status&) {});
    channel_ = std::make_unique<grpc::Channel>(
        loop_, *http_,
        tunnel::channel_options(*server_.address, *server_.headers, server_.user_agent, *token));
    call_ = channel_->call(method::kGetConfiguration, {}, this, kStep);
    if (call_ == nullptr) return token_answered(Status(Code::kUnavailable, "the connection takes no calls"));
    ::gitlab::agent::agent_configuration::rpc::ConfigurationRequest request;
    *request.mutable_agent_meta() = agent_meta(server_);
    request.set_skip_register(true);
    const std::string bytes = request.SerializeAsString();
    call_->send(grpc::message_view(bytes));
    call_->half_close();
  }
  void on_message(grpc::MessageView message) override {
    ::gitlab::agent::agent_configuration::rpc::ConfigurationResponse response;
    if (!response.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
      return token_answered(Status(Code::kInternal, "the server's answer is no configuration"));
    }
    const auto& configuration = response.configuration();
    call_.reset();
    conclude(Verdict::kOk, "the server knows it: agent " + std::to_string(configuration.agent_id()) + " of " +
                               configuration.project_path());
  }
  void on_finish(Status status, grpc::Metadata) override { token_answered(status); }
  void token_answered(const Status& why) {
    call_.reset();
    const std::string text = why.ok() ? "the server ended the call without an answer" : why.message();
    conclude(Verdict::kFailed, text, remedy_for_token(why));
  }

  io::Loop& loop_;
  const ServerSide& server_;
  Checked done_;
  std::vector<Check> checks_;
  io::Timer next_;
  std::unique_ptr<io::Dialer> direct_;
  std::unique_ptr<io::Dialer> proxied_;  // null: directly
  std::unique_ptr<io::Stream> stream_;   // from one check to the next
  std::unique_ptr<io::Operation> operation_;
  std::unique_ptr<http::ClientConnection> http_;
  std::unique_ptr<grpc::Channel> channel_;
  std::unique_ptr<grpc::ClientCall> call_;
};

}  // namespace

::gitlab::agent::entity::AgentMeta agent_meta(const ServerSide& server) {
  ::gitlab::agent::entity::AgentMeta meta;
  meta.set_version(server.agent_version);
  meta.set_pod_namespace(server.pod_namespace);
  meta.set_pod_name(server.pod_name);
  return meta;
}

std::unique_ptr<io::Operation> check_server(io::Loop& loop, const ServerSide& server, Checked done) {
  return std::make_unique<ServerChecks>(loop, server, std::move(done));
}

}  // namespace towline::doctor
