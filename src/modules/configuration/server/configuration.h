#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "base/log.h"
#include "control/agent_authenticator.h"
#include "control/backend.h"
#include "grpc/call.h"

namespace towline::configuration {

struct ServerOptions {
  std::string external_url;  // told to agents
  /// Limit: calls of one agent at once, of which it makes one for each connection; over it
  /// RESOURCE_EXHAUSTED.
  std::size_t max_calls_per_agent = 100;
  /// Limit: how long a caller may take to send its request; over it DEADLINE_EXCEEDED.
  std::chrono::milliseconds request_time{10'000};
};

/// Limit: the request of a GetConfiguration call in bytes; over it RESOURCE_EXHAUSTED.
inline constexpr std::size_t kMaxRequest = 64 * 1024;
/// Limit: bytes of each thing that an agent says of itself (version, commit, pod, namespace); over it the
/// rest is left out.
inline constexpr std::size_t kMaxMeta = 255;

/// Serves AgentConfiguration/GetConfiguration: the agent's configuration now, and again after each change,
/// pushed by the control plane's events. Callers are authenticated when their call opens; to be added as
/// guarded and with messages of kMaxRequest. A call and its connection end when its token is revoked.
/// Thread-safe; calls live on their own loops.
class ConfigurationServer {
 public:
  static std::unique_ptr<ConfigurationServer> create(ServerOptions options, control::Backend& backend,
                                                     control::AgentAuthenticator& authenticator, Logger log);
  virtual ~ConfigurationServer() = default;
  virtual grpc::CallHandler handler() = 0;
  /// Agents that have a call open.
  virtual std::size_t open_calls() const = 0;
};

}  // namespace towline::configuration
