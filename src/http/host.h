#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "base/status.h"
#include "http/server.h"
#include "http/trusted_proxies.h"

namespace towline::io {
class Loop;
class LoopGroup;
class Stream;
class TlsServerContext;
}  // namespace towline::io

namespace towline::http {

/// Who may speak without TLS on a listener that has a certificate. Tokens travel in clear text then.
enum class Cleartext {
  kLoopback,  // peers on this machine, such as a reverse proxy that ends TLS
  kAllow,
  kDeny,
};

struct HostOptions {
  std::string host;  // "" or "0.0.0.0": all addresses
  std::uint16_t port = 0;
  /// Null: cleartext only.
  std::shared_ptr<io::TlsServerContext> tls;
  Cleartext cleartext = Cleartext::kLoopback;
  ServerConnectionOptions connection;
  /// Connections are drained at max_age less up to a tenth, so that they do not all go at once.
  std::chrono::milliseconds handshake_timeout{10'000};
  /// Limit: connections at once on all loops; the oldest one whose peer has not proved who it is
  /// makes room, and where there is none the new one is closed as it comes.
  std::size_t max_connections = 50'000;
  /// Limit: the part of max_connections that one address may have, an IPv6 one with its whole /64, but never
  /// less than 32; new ones are closed as they come. `proxies` have no cap, nor with `spare_loopback`
  /// peers on this machine.
  double address_share = 0.1;
  bool spare_loopback = true;
  /// Reverse proxies, which speak for many clients.
  TrustedProxies proxies;
};

/// A listener with all that it accepts: one port on all loops, TLS or cleartext (told apart by the first
/// byte), HTTP/1.1 or HTTP/2 (told apart by ALPN or the preface).
class Host {
 public:
  /// Listens. Errors name the address. `loops` and `handler` outlive the host; stop it (or join the loops)
  /// before it is destroyed.
  static Result<std::unique_ptr<Host>> start(io::LoopGroup& loops, HostOptions options,
                                             RequestHandler& handler, Logger log);
  virtual ~Host() = default;

  virtual std::uint16_t port() const = 0;
  virtual std::size_t connections() const = 0;

  /// Serves HTTP/2 by `handler`, which outlives the host, on a stream that another connection has become (a
  /// WebSocket); from `loop`.
  virtual void adopt_http2(io::Loop& loop, std::unique_ptr<io::Stream> stream, RequestHandler& handler) = 0;

  /// Stops listening, drains all connections, then calls `drained` from one of the loops. Safe from any
  /// thread.
  virtual void drain(std::move_only_function<void()> drained) = 0;
};

}  // namespace towline::http
