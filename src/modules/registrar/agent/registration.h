#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/log.h"
#include "grpc/client.h"

namespace gitlab::agent::entity {
class AgentMeta;
}
namespace towline::io {
class Loop;
}

namespace towline::registrar {

/// Tells the server which pod is connected: at once, then every five minutes (less up to a tenth, so that
/// agents do not keep in step), and Unregister on stop.
class Registration {
 public:
  virtual ~Registration() = default;
  /// Unregisters; `done` runs when the server has answered, or after 2 s.
  virtual void stop(std::move_only_function<void()> done) = 0;
};

/// `channel` outlives the registration. `pod_id` is random for each process.
std::unique_ptr<Registration> register_agent(io::Loop& loop, grpc::Channel& channel,
                                             const ::gitlab::agent::entity::AgentMeta& meta,
                                             std::int64_t pod_id, Logger log);

}  // namespace towline::registrar
