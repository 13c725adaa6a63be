#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/backoff.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/status.h"
#include "base/url.h"
#include "grpc/client.h"
#include "http/headers.h"
#include "http/limits.h"
#include "http/websocket.h"
#include "io/dial.h"

namespace towline::tunnel {

/// How to reach the server and who we are.
struct ConnectorOptions {
  Url address;                                // grpc://, grpcs://, ws:// or wss://
  std::shared_ptr<io::TlsClientContext> tls;  // for grpcs and wss
  std::string tls_server_name;
  /// Asked for with each connection, so that a token that was replaced meanwhile is used.
  std::function<Result<Secret>()> token;
  std::string user_agent;
  /// Given by --kas-header: metadata of each call, or fields of the WebSocket handshake.
  http::Headers headers;
  http::Limits limits;
  std::chrono::milliseconds dial_timeout{10'000};
  /// A PING after this much silence, also without calls.
  std::chrono::milliseconds keepalive{55'000};
  std::chrono::milliseconds keepalive_timeout{20'000};
  /// Quick at first, since most outages are restarts of the server; later one attempt in about 15 s.
  Backoff::Policy backoff{.initial = std::chrono::milliseconds(200),
                          .maximum = std::chrono::milliseconds(15'000),
                          .factor = 1.2,
                          .jitter = 0.5};
  /// Told of each attempt that failed; may be empty.
  std::function<void()> on_failed;
};

/// Checks that an address has one of the four schemes and a host.
Result<Url> parse_server_address(std::string_view text);

// What the scheme of a server's address means for those who speak to it.
bool uses_websocket(const Url& address);
bool uses_tls(const Url& address);
/// The handshake of an address with a WebSocket; `headers` go there.
http::WebSocketTarget websocket_target(const Url& address, const http::Headers& headers,
                                       const std::string& user_agent);
/// What each call of a connection carries; `headers` too, where there is no WebSocket that took them.
grpc::ChannelOptions channel_options(const Url& address, const http::Headers& headers,
                                     const std::string& user_agent, const Secret& token);

/// What runs on one connection to the server.
class Session {
 public:
  virtual ~Session() = default;
  /// Takes no new work, finishes what runs, then calls `drained`.
  virtual void drain(std::move_only_function<void()> drained) = 0;
};

/// Keeps one connection to the server: dials, hands the connection to a new Session, and dials anew when it
/// is lost. A connection that the server sends away (GOAWAY) is replaced at once and kept until its calls
/// have finished. The pauses between attempts grow until a connection has lasted for seconds. Lives on one
/// loop.
class Connector {
 public:
  using MakeSession = std::function<std::unique_ptr<Session>(grpc::Channel&)>;

  /// Starts at once. `dialer` outlives the connector.
  static std::unique_ptr<Connector> start(io::Loop& loop, io::Dialer& dialer, ConnectorOptions options,
                                          MakeSession make_session, Logger log);
  virtual ~Connector() = default;

  virtual bool connected() const = 0;
  /// Drains all sessions, closes, then calls `stopped`.
  virtual void stop(std::move_only_function<void()> stopped) = 0;
};

}  // namespace towline::tunnel
