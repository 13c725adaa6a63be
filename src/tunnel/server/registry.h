#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/status.h"
#include "tunnel/server/link.h"
#include "tunnel/server/router.h"

namespace towline::tunnel {

/// The methods that a tunnel offers, "/package.Service/Method".
using Methods = std::set<std::string, std::less<>>;

/// Which tunnels of which agents are idle, and which calls wait for one. Thread-safe; holds its lock for a
/// few instructions, whatever the number of tunnels and calls, and calls nobody while it does.
class Registry {
 public:
  explicit Registry(RouterOptions options) : options_(options) {}
  const RouterOptions& options() const { return options_; }

  /// Tunnels of an agent that offer the same.
  struct Offer {
    Methods methods;
    std::size_t tunnels = 0;
    std::vector<std::shared_ptr<ServerTunnel>> idle;
  };
  /// Where a tunnel stands; the registry's own, kept in the tunnel.
  struct Place {
    static constexpr std::size_t kNone = SIZE_MAX;
    std::size_t in_all = kNone;
    std::size_t in_idle = kNone;
    Offer* offer = nullptr;
  };

  struct Wait {};
  using Acquired = std::variant<std::shared_ptr<ServerTunnel>, Wait, Status>;

  /// Takes an idle tunnel with `method`, one on the caller's loop where there is one, or enters the caller as
  /// waiting. Counts the call unless it answers a Status; release() ends that.
  Acquired acquire(std::int64_t agent_id, const std::string& method, const std::shared_ptr<Link>& link);
  void release(std::int64_t agent_id);
  /// True when the caller was waiting and is no more.
  bool stop_waiting(std::int64_t agent_id, const Link& link);

  /// It is known whose stream this is: from now on tunnels_of() finds it, and it counts. UNAUTHENTICATED when
  /// its owner has lost the right to it, RESOURCE_EXHAUSTED when the agent has too many; then it is not
  /// entered.
  Status enter(const std::shared_ptr<ServerTunnel>& tunnel);
  /// A tunnel that was entered offers `methods`; its connection counts as one of the agent's. put() follows.
  /// RESOURCE_EXHAUSTED when the agent's tunnels offer too many different things.
  Status offer(const std::shared_ptr<ServerTunnel>& tunnel, Methods methods);
  /// A tunnel can take a call. Gives back the waiter that shall have it, if any: the caller of put() hands it
  /// over.
  std::shared_ptr<Link> put(const std::shared_ptr<ServerTunnel>& tunnel);
  /// A tunnel is over. Gives back the calls that wait in vain, when it was the agent's last.
  std::vector<std::shared_ptr<Link>> remove(const std::shared_ptr<ServerTunnel>& tunnel);

  std::vector<std::shared_ptr<ServerTunnel>> tunnels_of(std::int64_t agent_id, std::int64_t token_id) const;
  Router::Counts counts() const;
  bool connected(std::int64_t agent_id) const;

 private:
  struct Agent {
    std::vector<std::shared_ptr<ServerTunnel>> all;
    std::vector<std::unique_ptr<Offer>> offers;  // of which there are tunnels
    std::size_t offered = 0;                     // tunnels
    std::size_t idle = 0;
    // By method, and then in the order in which they came; none is empty.
    std::map<std::string, std::map<std::uint64_t, std::shared_ptr<Link>>, std::less<>> waiting;
    std::size_t waiters = 0;
    std::size_t calls = 0;
    std::vector<std::weak_ptr<const void>> connections;

    /// Whether a connection of the agent is up, though all its tunnels may be taken at the moment.
    bool connected() const;
    std::shared_ptr<ServerTunnel> take_idle(const std::string& method, const io::Loop& near);
    void add_connection(const std::weak_ptr<const void>& connection);
  };
  static void leave_idle(Agent& agent, Place& place);
  static void leave_all(Agent& agent, const std::shared_ptr<ServerTunnel>& tunnel);
  void forget_if_empty(std::int64_t agent_id);

  const RouterOptions options_;
  mutable std::mutex mutex_;
  std::unordered_map<std::int64_t, Agent> agents_;
  std::uint64_t tickets_ = 0;
};

}  // namespace towline::tunnel
