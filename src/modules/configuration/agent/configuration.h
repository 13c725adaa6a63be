#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "grpc/client.h"

namespace gitlab::agent::agentcfg {
class AgentConfiguration;
}
namespace gitlab::agent::entity {
class AgentMeta;
}
namespace towline::io {
class Loop;
}

namespace towline::configuration {

/// What outlives a connection: the last configuration's commit, so that a reconnect resends nothing.
struct ConfigurationState {
  std::string commit_id;
  bool refused = false;  // the server does not accept our token
  /// Told of each refusal; may be empty.
  std::function<void()> on_refused;
};

/// Follows the agent's configuration on one connection: keeps a GetConfiguration call open and hands each new
/// configuration to `apply`. A call that fails is made again, after 1 s at first and 30 s at most.
class ConfigurationFollower {
 public:
  virtual ~ConfigurationFollower() = default;
};

using ApplyConfiguration = std::function<void(
    const ::gitlab::agent::agentcfg::AgentConfiguration& configuration, const std::string& commit_id)>;

/// `channel` outlives the follower.
std::unique_ptr<ConfigurationFollower> follow_configuration(io::Loop& loop, grpc::Channel& channel,
                                                            std::shared_ptr<ConfigurationState> state,
                                                            const ::gitlab::agent::entity::AgentMeta& meta,
                                                            ApplyConfiguration apply, Logger log);

}  // namespace towline::configuration
