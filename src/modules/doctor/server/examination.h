#pragma once

#include <memory>

#include "control/agent_doctor.h"
#include "tunnel/server/router.h"

namespace towline::io {
class LoopGroup;
}

namespace towline::doctor {

/// Examines agents through their tunnels, at most two at once, since each holds a thread of the caller's.
/// What an agent answers is bounded and taken for text.
class Examination : public control::AgentDoctor {
 public:
  /// `loops` outlives it.
  static std::unique_ptr<Examination> create(io::LoopGroup& loops, std::shared_ptr<tunnel::Router> router);
  /// Ends what is under way and refuses what comes. Before the loops stop.
  virtual void close() = 0;
};

}  // namespace towline::doctor
