#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "control/agent_authenticator.h"
#include "control/backend.h"
#include "grpc/call.h"

namespace towline::configuration {

struct ServerOptions {
  std::string external_url;  // told to agents
  /// New calls a token may make in a minute; an agent makes one for each connection.
  std::size_t calls_per_minute = 100;
};

/// Serves AgentConfiguration/GetConfiguration: the agent's configuration now, and again after each change,
/// pushed by the control plane's events. A call ends with UNAUTHENTICATED when its token is revoked.
/// Thread-safe; calls live on their own loops.
class ConfigurationServer {
 public:
  static std::unique_ptr<ConfigurationServer> create(ServerOptions options, control::Backend& backend,
                                                     control::AgentAuthenticator& authenticator,
                                                     const Clock& clock, Logger log);
  virtual ~ConfigurationServer() = default;
  virtual grpc::CallHandler handler() = 0;
  /// Agents that have a call open.
  virtual std::size_t open_calls() const = 0;
};

}  // namespace towline::configuration
