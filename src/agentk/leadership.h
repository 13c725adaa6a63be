#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "agentk/flags.h"
#include "base/log.h"

namespace towline::io {
class Loop;
}
namespace towline::kube {
class Client;
}

namespace towline::agentk {

/// What must be done by one of an agent's pods and not by each: today to record Events in the agent's
/// namespace, of the leader and of each configuration that is applied. The leader holds the Lease
/// agent-<id>-lock there. Lives on one loop; `client` outlives it.
class Leadership {
 public:
  static std::unique_ptr<Leadership> create(io::Loop& loop, kube::Client& client, PodIdentity pod,
                                            Logger log);
  virtual ~Leadership() = default;

  /// The configuration in force. The first one begins the election: it tells the agent's number.
  virtual void configured(std::int64_t agent_id, const std::string& project,
                          const std::string& commit_id) = 0;
  virtual bool leads() const = 0;
  /// Gives the lease back, then calls `stopped`.
  virtual void stop(std::move_only_function<void()> stopped) = 0;
};

}  // namespace towline::agentk
