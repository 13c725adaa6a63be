#pragma once

#include <atomic>
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
  /// Limit: calls at once on one agent, running and waiting; over it a call fails with RESOURCE_EXHAUSTED.
  std::size_t max_calls_per_agent = 4096;
  /// Limit: how long a call waits for an idle tunnel of an agent that is connected; over it UNAVAILABLE.
  std::chrono::milliseconds wait{20'000};
  /// Limit: streams that an agent's connection may carry at once, its tunnels and its own calls; over it
  /// REFUSED_STREAM.
  std::uint32_t agent_streams = 10'100;
  /// Limit: tunnels of one agent that wait for a request or for their descriptor; over it a further one is
  /// refused with RESOURCE_EXHAUSTED. An agent's pod keeps about a dozen.
  std::size_t max_idle_tunnels_per_agent = 500;
  /// Limit: different sets of methods that the tunnels of one agent offer; over it RESOURCE_EXHAUSTED. Two
  /// during an upgrade.
  std::size_t max_offers_per_agent = 8;
  /// Limit: how long a Connect stream may keep its descriptor back; over it DEADLINE_EXCEEDED.
  std::chrono::milliseconds descriptor_time{10'000};
  /// Limit: how long an agent that has ended a call may leave its stream open; over it the stream is reset.
  std::chrono::milliseconds end_grace{30'000};
};

/// Limit: a message of a Connect stream before it carries a call, in bytes; over it RESOURCE_EXHAUSTED.
inline constexpr std::size_t kMaxDescriptor = 64 * 1024;
/// Limit: services in a tunnel's descriptor; over it RESOURCE_EXHAUSTED.
inline constexpr int kMaxServices = 64;
/// Limit: methods in a tunnel's descriptor; over it RESOURCE_EXHAUSTED.
inline constexpr int kMaxMethods = 256;

/// Who opened a tunnel.
struct TunnelOwner {
  std::int64_t agent_id = 0;
  std::int64_t token_id = 0;
  /// Becomes true when the right to the tunnel ends, before Router::disconnect is called for it; so nobody
  /// slips in between the answer of whoever authenticated and the disconnection. Null: it does not end.
  std::shared_ptr<const std::atomic<bool>> ended;

  bool lost() const { return ended != nullptr && ended->load(); }
};

/// Sends calls to agents through the tunnels that they have opened (ReverseTunnel/Connect). Safe from any
/// thread; a call made on one loop may run through a tunnel that lives on another.
class Router {
 public:
  /// Finds out who makes this call, whose metadata is beside it; answers once, on the call's loop, and never
  /// from inside. The call may be gone by then.
  using Authenticate = std::function<void(grpc::ServerCall& call, const grpc::Metadata& metadata,
                                          std::move_only_function<void(Result<TunnelOwner>)> answer)>;

  static std::shared_ptr<Router> create(RouterOptions options, Authenticate authenticate, Logger log);
  virtual ~Router() = default;

  /// Serves ReverseTunnel/Connect; to be added as guarded and with messages of kMaxDescriptor.
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

  /// Ends the streams that were opened with a token (it was revoked), offered or not, their calls and the
  /// connections that carry them.
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
