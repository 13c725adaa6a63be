#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "control/backend.h"
#include "http/exchange.h"
#include "tunnel/server/router.h"

namespace towline::kubernetes_api {

struct ProxyOptions {
  /// Path prefixes under which the proxy is reached; what follows goes to the cluster.
  std::vector<std::string> prefixes = {"/-/kubernetes-agent/k8s-proxy", "/k8s-proxy"};
  /// The path of the server's external URL, which a reverse proxy takes away; redirects have it in front.
  std::string external_path;
  /// Limit: time from the end of a proxied request to the first byte of its answer; over it 504. Longer than
  /// the agent's own limit, which names the hop better.
  std::chrono::milliseconds first_byte_timeout{90'000};
  /// Limit: requests of one user that run on one agent at once; over it 429.
  std::size_t requests_per_user = 2048;
  /// How long an answer of the control plane is remembered; see AccessCache.
  std::chrono::milliseconds access_ttl{10'000};
  /// Limit: answers of the control plane that are remembered; over it all are forgotten.
  std::size_t access_entries = 10'000;
};

/// What happened to a proxied request, for metrics.
struct ProxyObservation {
  int http_status = 0;
  bool own_error = false;  // answered by the server, not by the cluster
  bool stranger = false;   // refused for want of a valid credential; such requests leave no line in the log
  Clock::Duration duration{};
};

/// The Kubernetes API proxy: authenticates a request, decides as whom it runs, sends it through a tunnel of
/// its agent and streams the answer back. One instance serves all loops. Each request of somebody known
/// leaves one line in the audit log. What has been revoked ends, running requests within two seconds.
class Proxy : public http::RequestHandler {
 public:
  static std::unique_ptr<Proxy> create(ProxyOptions options, control::Backend& backend,
                                       std::shared_ptr<tunnel::Router> router, const Clock& clock, Logger log,
                                       std::function<void(const ProxyObservation&)> observe);
  /// Whether a path is the proxy's.
  virtual bool owns(std::string_view path) const = 0;
};

}  // namespace towline::kubernetes_api
