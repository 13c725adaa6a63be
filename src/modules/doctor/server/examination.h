#pragma once

#include <memory>

#include "control/agent_doctor.h"
#include "tunnel/server/router.h"

namespace towline::doctor {

/// Examines agents through their tunnels, each at most kMaxOfOneAgent times at once: one that is slow or
/// hostile delays nobody but those who ask it. What an agent answers is bounded and taken for text.
class Examination : public control::AgentDoctor {
 public:
  /// Limit: questions before one agent; over it RESOURCE_EXHAUSTED.
  static constexpr int kMaxOfOneAgent = 2;
  /// Limit: questions before all agents; over it RESOURCE_EXHAUSTED.
  static constexpr int kMaxInAll = 64;

  static std::unique_ptr<Examination> create(std::shared_ptr<tunnel::Router> router);
};

}  // namespace towline::doctor
