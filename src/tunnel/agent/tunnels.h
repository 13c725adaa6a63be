#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/log.h"
#include "grpc/client.h"
#include "grpc/server.h"

namespace towline::io {
class Loop;
}

namespace towline::tunnel {

/// How many Connect streams the agent keeps open ahead of need.
struct AgentTunnelOptions {
  std::size_t min_idle = 2;
  /// Opened at a time when fewer than min_idle are idle.
  std::size_t step = 10;
  /// Limit: tunnels of an agent's pod, idle and busy, and so its requests at once; over it further ones wait
  /// in the server.
  std::size_t max_streams = 10'000;
  /// Streams above min_idle that were idle for this long are given up.
  std::chrono::milliseconds idle_timeout{60'000};
};

/// The agent's end of the reverse tunnel on one connection to the server: calls that the server sends through
/// ReverseTunnel/Connect streams arrive at the methods of a grpc::Server as if they had been made directly.
class AgentTunnels {
 public:
  virtual ~AgentTunnels() = default;

  /// Takes no more calls: idle streams end now, running calls finish; then `drained` runs.
  virtual void drain(std::move_only_function<void()> drained) = 0;
  /// Streams that the server could use now; readiness depends on it.
  virtual std::size_t idle() const = 0;
  virtual std::size_t busy() const = 0;
};

/// Starts opening streams on `channel`. `server` holds the methods that are offered. Both outlive the
/// tunnels. Destroying the tunnels cancels their calls. A stream that fails at once is opened again no sooner
/// than after a second.
std::unique_ptr<AgentTunnels> start_tunnels(io::Loop& loop, grpc::Channel& channel,
                                            const grpc::Server& server, AgentTunnelOptions options,
                                            Logger log);

}  // namespace towline::tunnel
