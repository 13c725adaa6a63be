#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include "base/status.h"
#include "tunnel/server/link.h"
#include "tunnel/server/router.h"

namespace towline::tunnel {

/// The methods that a tunnel offers, "/package.Service/Method"; shared by the tunnels of an agent.
using MethodSet = std::shared_ptr<const std::set<std::string, std::less<>>>;

/// Which tunnels of which agents are idle, and which calls wait for one. Thread-safe; holds its lock for a
/// few instructions and calls nobody while it does.
class Registry {
 public:
  explicit Registry(RouterOptions options) : options_(options) {}

  /// A call that waits for a tunnel.
  struct Waiter {
    std::shared_ptr<Link> link;
    std::string method;
  };
  struct Wait {};
  using Acquired = std::variant<std::shared_ptr<ServerTunnel>, Wait, Status>;

  /// Takes an idle tunnel with `method`, one on the caller's loop where there is one, or enters the caller as
  /// waiting. Counts the call unless it answers a Status; release() ends that.
  Acquired acquire(std::int64_t agent_id, const std::string& method, const std::shared_ptr<Link>& link);
  void release(std::int64_t agent_id);
  /// True when the caller was waiting and is no more.
  bool stop_waiting(std::int64_t agent_id, const Link* link);

  /// A tunnel was opened; it counts as a connection of its agent.
  void add(const std::shared_ptr<ServerTunnel>& tunnel);
  /// A tunnel can take a call. Gives back the waiter that shall have it, if any: the caller of put() hands it
  /// over.
  std::optional<Waiter> put(const std::shared_ptr<ServerTunnel>& tunnel);
  /// A tunnel is over. Gives back the calls that wait in vain, when it was the agent's last.
  std::vector<Waiter> remove(const std::shared_ptr<ServerTunnel>& tunnel);

  /// Makes tunnels with equal descriptors share one set.
  MethodSet intern(std::int64_t agent_id, std::set<std::string, std::less<>> methods);

  std::vector<std::shared_ptr<ServerTunnel>> tunnels_of(std::int64_t agent_id, std::int64_t token_id) const;
  Router::Counts counts() const;
  bool connected(std::int64_t agent_id) const;

 private:
  struct Agent {
    std::unordered_set<std::shared_ptr<ServerTunnel>> all;
    std::vector<std::shared_ptr<ServerTunnel>> idle;
    std::deque<Waiter> waiters;
    std::size_t calls = 0;
    MethodSet methods;  // the last one seen
    std::vector<std::weak_ptr<const void>> connections;

    /// Whether a connection of the agent is up, though all its tunnels may be taken at the moment.
    bool connected() const;
  };
  void forget_if_empty(std::int64_t agent_id);

  const RouterOptions options_;
  mutable std::mutex mutex_;
  std::unordered_map<std::int64_t, Agent> agents_;
};

}  // namespace towline::tunnel
