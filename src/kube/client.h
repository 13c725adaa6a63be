#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "base/log.h"
#include "http/exchange.h"
#include "http/limits.h"
#include "kube/config.h"

namespace towline::io {
class Dialer;
class Loop;
}  // namespace towline::io

namespace towline::kube {

struct ClientOptions {
  http::Limits limits;
  /// Limit: time to connect to the Kubernetes API, TLS included; over it requests that wait fail.
  std::chrono::milliseconds dial_timeout{10'000};
  /// Limit: time that a connection to the Kubernetes API may have no request; over it it is closed.
  std::chrono::milliseconds idle_timeout{90'000};
  /// Limit: connections to the Kubernetes API that have no request; over it the others are closed.
  std::size_t max_idle = 64;
  /// HTTP/2: a PING after this much silence, so that a dead API server is noticed.
  std::chrono::milliseconds keepalive{30'000};
  std::chrono::milliseconds keepalive_timeout{15'000};
};

/// Sends requests to one cluster's API server over pooled connections: HTTP/2 where the server speaks it,
/// else HTTP/1.1; upgrades always over HTTP/1.1 connections of their own. Adds the credentials. Lives on one
/// loop.
class Client {
 public:
  virtual ~Client() = default;

  /// Starts a request. `head.target` is relative to the server's base path; scheme, authority and
  /// Authorization are filled in. `end`: it has no body. The exchange can be used at once; what is written is
  /// kept until the connection is there. Failures come through on_failed: UNAVAILABLE (the message names the
  /// step and the address), UNAUTHENTICATED when the credentials cannot be had. A request without a body is
  /// sent once more, on a newer connection, when it cannot have been carried out, or when a kept HTTP/1.1
  /// connection turns out to be stale and its method is safe; never otherwise. Large heads travel over
  /// HTTP/1.1.
  virtual std::unique_ptr<http::ClientExchange> start(http::RequestHead head, bool end,
                                                      http::ExchangeHandler* handler) = 0;

  /// Open connections, for metrics.
  virtual std::size_t connections() const = 0;
};

/// `dialer` outlives the client.
std::unique_ptr<Client> make_client(io::Loop& loop, io::Dialer& dialer, ClusterConfig config,
                                    ClientOptions options, Logger log);

}  // namespace towline::kube
