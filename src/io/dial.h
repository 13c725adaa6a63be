#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "io/stream.h"

namespace towline::io {

class Loop;
class TlsClientContext;

/// An operation under way. Destroying it cancels it: its callback does not run any more.
class Operation {
 public:
  virtual ~Operation() = default;
};

/// One address a name resolves to: "192.0.2.1" or "2001:db8::1".
struct ResolvedAddress {
  std::string ip;
  std::uint16_t port = 0;
};

/// Turns names into addresses. Replaceable, so that tests and guards decide what a name means.
class Resolver {
 public:
  using Callback = std::move_only_function<void(Result<std::vector<ResolvedAddress>>)>;
  virtual ~Resolver() = default;
  /// Calls back on `loop`, never from inside resolve(). A literal address resolves to itself.
  virtual std::unique_ptr<Operation> resolve(Loop& loop, std::string host, std::uint16_t port,
                                             Callback callback) = 0;
};

/// The system's resolver (getaddrinfo on a thread of its own).
std::unique_ptr<Resolver> system_resolver();

using StreamCallback = std::move_only_function<void(Result<std::unique_ptr<Stream>>)>;

/// Where and how to connect.
struct DialTarget {
  std::string host;
  std::uint16_t port = 0;
  /// Set: TLS on top. Shared by all connections of one configuration.
  std::shared_ptr<TlsClientContext> tls;
  /// Name for SNI and certificate verification; empty: `host`.
  std::string tls_server_name;
  /// ALPN protocols in order of preference, "h2", "http/1.1"; empty: none offered.
  std::vector<std::string> alpn;
};

/// Opens byte streams to servers.
class Dialer {
 public:
  virtual ~Dialer() = default;
  /// Resolves, connects (the next address when one fails), and shakes hands, all within `timeout`. Calls
  /// back on `loop`, never from inside dial(). An error names the step: resolve, connect or TLS.
  virtual std::unique_ptr<Operation> dial(Loop& loop, DialTarget target, std::chrono::milliseconds timeout,
                                          StreamCallback callback) = 0;
};

/// TCP with TCP_NODELAY, and TLS where the target asks for it. `resolver` must outlive the dialer.
std::unique_ptr<Dialer> direct_dialer(Resolver& resolver);

}  // namespace towline::io
