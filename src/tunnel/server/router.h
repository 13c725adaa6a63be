#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "base/status.h"
#include "grpc/call.h"

namespace towline::io {
class Loop;
}

namespace towline::tunnel {

struct RouterOptions {
  /// Calls at once on one agent, running and waiting. Over it: RESOURCE_EXHAUSTED.
  std::size_t max_calls_per_agent = 4096;
  /// How long a call waits for an idle tunnel of an agent that is connected. Then: UNAVAILABLE.
  std::chrono::milliseconds wait{20'000};
  /// Streams that an agent's connection may carry at once, its tunnels and its own calls.
  std::uint32_t agent_streams = 10'100;
};

/// Who opened a tunnel.
struct TunnelOwner {
  std::int64_t agent_id = 0;
  std::int64_t token_id = 0;
};

/// Sends calls to agents through the tunnels that they have opened (ReverseTunnel/Connect). Safe from any
/// thread; a call made on one loop may run through a tunnel that lives on another.
class Router {
 public:
  /// Finds out on `loop` who makes a call with this metadata; answers once, on that loop.
  using Authenticate = std::function<void(io::Loop& loop, const grpc::Metadata& metadata,
                                          std::move_only_function<void(Result<TunnelOwner>)> answer)>;

  static std::shared_ptr<Router> create(RouterOptions options, Authenticate authenticate, Logger log);
  virtual ~Router() = default;

  /// Serves ReverseTunnel/Connect.
  virtual grpc::CallHandler connect_handler() = 0;

  /// Calls `method` ("/package.Service/Method") on agent `agent_id`. Always returns a call; failures come
  /// through on_finish, on `loop`:
  ///   NOT_FOUND           the agent is not connected to this server; at once
  ///   RESOURCE_EXHAUSTED  it has max_calls_per_agent calls already; at once
  ///   UNIMPLEMENTED       none of its tunnels offers the method
  ///   UNAVAILABLE         no idle tunnel within the wait, or the agent went away in the middle
  ///   ABORTED             the agent did not look at the call (it was retiring the tunnel): safe to make it
  ///   again
  virtual std::unique_ptr<grpc::ClientCall> call(io::Loop& loop, std::int64_t agent_id,
                                                 const std::string& method, const grpc::Metadata& metadata,
                                                 grpc::ClientCallHandler* handler) = 0;

  /// Ends the tunnels that were opened with a token (it was revoked), their calls included.
  virtual void disconnect(std::int64_t agent_id, std::int64_t token_id) = 0;

  struct Counts {
    std::size_t agents = 0;
    std::size_t idle_tunnels = 0;
    std::size_t busy_tunnels = 0;
    std::size_t waiting_calls = 0;
  };
  virtual Counts counts() const = 0;
  virtual bool connected(std::int64_t agent_id) const = 0;
};

}  // namespace towline::tunnel
