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
  /// Connections at once on all loops; further ones are closed as they come.
  std::size_t max_connections = 50'000;
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

  /// Serves HTTP/2 on a stream that another connection has become (a WebSocket); from `loop`.
  virtual void adopt_http2(io::Loop& loop, std::unique_ptr<io::Stream> stream) = 0;

  /// Stops listening, drains all connections, then calls `drained` from one of the loops. Safe from any
  /// thread.
  virtual void drain(std::move_only_function<void()> drained) = 0;
};

}  // namespace towline::http
