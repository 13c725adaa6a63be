#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace towline::control {

/// Asks a connected agent how it is. Implemented by what reaches agents.
class AgentDoctor {
 public:
  virtual ~AgentDoctor() = default;

  /// Blocks until the agent has answered, a minute at most; from any thread but a loop's. Gives the report as
  /// JSON: {"version":...,"pod_name":...,"healthy":...,"checks":[{"name","verdict","detail","remedy"}]}.
  /// Errors: UNAVAILABLE when the agent is not connected or goes away, UNIMPLEMENTED when it is one that
  /// cannot be asked, RESOURCE_EXHAUSTED when too many are asked at once.
  virtual Result<std::string> examine(std::int64_t agent_id) = 0;
};

}  // namespace towline::control
