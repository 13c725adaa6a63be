#include "tunnel/agent/connector.h"

#include <list>
#include <random>
#include <utility>

#include "http/client.h"
#include "http/websocket.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/tls.h"

namespace towline::tunnel {
namespace {

// A connection that has lasted as long was a good one, and the next attempt may be quick again. One that
// breaks sooner counts as a failure: a server or balancer that takes connections and drops them is not
// hammered.
constexpr std::chrono::seconds kSettled{10};

class ConnectorImpl final : public Connector {
 public:
  ConnectorImpl(io::Loop& loop, io::Dialer& dialer, ConnectorOptions options, MakeSession make_session,
                Logger log)
      : loop_(loop),
        dialer_(dialer),
        options_(std::move(options)),
        make_session_(std::move(make_session)),
        log_(std::move(log)),
        backoff_(options_.backoff,
                 [engine = std::minstd_rand(std::random_device{}())]() mutable {
                   return std::uniform_real_distribution<double>(0, 1)(engine);
                 }),
        retry_(loop, [this] { dial(); }) {
    dial();
  }
  ~ConnectorImpl() override {
    alive_.reset();
    operation_.reset();
  }
  ConnectorImpl(const ConnectorImpl&) = delete;
  ConnectorImpl& operator=(const ConnectorImpl&) = delete;

  bool connected() const override { return current_ != nullptr; }

  void stop(std::move_only_function<void()> stopped) override {
    stopping_ = true;
    stopped_ = std::move(stopped);
    retry_.cancel();
    operation_.reset();
    current_ = nullptr;
    for (Connection& connection : connections_) drain(connection);
    check_stopped();
  }

 private:
  struct Connection {
    std::unique_ptr<http::ClientConnection> http;
    std::unique_ptr<grpc::Channel> channel;
    std::unique_ptr<Session> session;
    Clock::TimePoint since{};
    bool draining = false;
  };

  void dial() {
    const Url& address = options_.address;
    io::DialTarget target{.host = address.host, .port = address.port};
    if (uses_tls(address)) {
      target.tls = options_.tls;
      target.tls_server_name = options_.tls_server_name;
      target.alpn = {uses_websocket(address) ? "http/1.1" : "h2"};
    }
    log_.debug("connecting", {{"address", address.authority()}, {"scheme", address.scheme}});
    operation_ = dialer_.dial(loop_, std::move(target), options_.dial_timeout, [this](auto stream) {
      if (!stream) return failed(stream.error());
      if (!uses_websocket(options_.address)) return established(std::move(*stream));
      shake_hands(std::move(*stream));
    });
  }

  void shake_hands(std::unique_ptr<io::Stream> stream) {
    operation_ = http::connect_websocket(
        loop_, std::move(stream), websocket_target(options_.address, options_.headers, options_.user_agent),
        options_.dial_timeout, [this](auto websocket) {
          if (!websocket) return failed(websocket.error());
          established(std::move(*websocket));
        });
  }

  void failed(const Status& why) {
    const auto delay = backoff_.next();
    log_.warn(
        "cannot connect to the server",
        {{"address", options_.address.authority()}, {"error", why.message()}, {"retry_ms", delay.count()}});
    retry_.start(delay);
    if (options_.on_failed) options_.on_failed();
  }

  void established(std::unique_ptr<io::Stream> stream) {
    const Result<Secret> token = options_.token();
    if (!token) return failed(token.error());
    Connection& connection = connections_.emplace_back();
    Connection* const raw = &connection;
    connection.http = http::connect_http2(loop_, std::move(stream),
                                          {.limits = options_.limits,
                                           .keepalive = options_.keepalive,
                                           .keepalive_timeout = options_.keepalive_timeout},
                                          [this, raw, weak = std::weak_ptr<char>(alive_)](Status why) {
                                            if (!weak.expired()) closed(raw, why);
                                          });
    connection.channel = std::make_unique<grpc::Channel>(
        loop_, *connection.http,
        channel_options(options_.address, options_.headers, options_.user_agent, *token));
    connection.since = loop_.now();
    current_ = raw;
    log_.info("connected to the server", {{"address", options_.address.authority()}});
    connection.session = make_session_(*connection.channel);
  }

  // The connection is lost, or the server sends us away.
  void closed(Connection* connection, const Status& why) {
    log_.info("connection to the server is closing", {{"reason", why.message()}});
    if (current_ == connection) current_ = nullptr;
    if (loop_.now() - connection->since >= kSettled) backoff_.reset();
    if (connection->http->active() > 0) {
      drain(*connection);
      if (!stopping_) retry_.start(backoff_.next() / 4);
      return;
    }
    drop(connection);
    if (!stopping_) retry_.start(backoff_.next());
  }

  void drain(Connection& connection) {
    if (std::exchange(connection.draining, true)) return;
    connection.session->drain([this, raw = &connection, weak = std::weak_ptr<char>(alive_)] {
      if (!weak.expired()) drop(raw);
    });
  }

  // From a callback of the connection or its session, so that they go a little later.
  void drop(Connection* connection) {
    loop_.post([this, connection, weak = std::weak_ptr<char>(alive_)] {
      if (weak.expired()) return;
      connections_.remove_if([&](const Connection& each) { return &each == connection; });
      check_stopped();
    });
  }

  void check_stopped() {
    if (stopping_ && connections_.empty() && stopped_) std::exchange(stopped_, {})();
  }

  io::Loop& loop_;
  io::Dialer& dialer_;
  ConnectorOptions options_;
  MakeSession make_session_;
  Logger log_;
  Backoff backoff_;
  io::Timer retry_;
  std::unique_ptr<io::Operation> operation_;
  std::list<Connection> connections_;
  Connection* current_ = nullptr;
  bool stopping_ = false;
  std::move_only_function<void()> stopped_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace

Result<Url> parse_server_address(std::string_view text) {
  const std::string shown = "server address \"" + without_credentials(text) + "\"";
  Result<Url> url = parse_url(text);
  if (!url) return fail(url.error().with_prefix(shown));
  for (const std::string_view scheme : {"grpc", "grpcs", "ws", "wss"}) {
    if (url->scheme == scheme) return url;
  }
  return fail(Code::kInvalidArgument,
              shown + ": scheme \"" + url->scheme + "\" is not one of grpc, grpcs, ws and wss");
}

bool uses_websocket(const Url& address) { return address.scheme == "ws" || address.scheme == "wss"; }
bool uses_tls(const Url& address) { return address.scheme == "grpcs" || address.scheme == "wss"; }

http::WebSocketTarget websocket_target(const Url& address, const http::Headers& headers,
                                       const std::string& user_agent) {
  http::WebSocketTarget target{.authority = address.authority(),
                               .target = address.target(),
                               .protocol = std::string(http::kTunnelProtocol),
                               .headers = headers};
  if (!target.headers.has("user-agent")) target.headers.add("user-agent", user_agent);
  return target;
}

grpc::ChannelOptions channel_options(const Url& address, const http::Headers& headers,
                                     const std::string& user_agent, const Secret& token) {
  grpc::ChannelOptions options{.authority = address.authority(), .user_agent = user_agent, .metadata = {}};
  options.metadata.add("authorization", "Bearer " + token.reveal());
  if (!uses_websocket(address)) {
    for (const auto& [name, value] : headers) options.metadata.add(name, value);
  }
  return options;
}

std::unique_ptr<Connector> Connector::start(io::Loop& loop, io::Dialer& dialer, ConnectorOptions options,
                                            MakeSession make_session, Logger log) {
  return std::make_unique<ConnectorImpl>(loop, dialer, std::move(options), std::move(make_session),
                                         std::move(log));
}

}  // namespace towline::tunnel
