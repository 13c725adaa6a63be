#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/status.h"

namespace towline::io {
class Loop;
class Operation;
}  // namespace towline::io

namespace towline::control {

/// Asks connected agents how they are. Implemented by what reaches agents. Safe from any loop.
class AgentDoctor {
 public:
  /// The report as JSON:
  /// {"version":...,"pod_name":...,"healthy":...,"checks":[{"name","verdict","detail","remedy"}]}.
  /// Errors: UNAVAILABLE when the agent is not connected, goes away or has not answered within a minute,
  /// UNIMPLEMENTED when it is one that cannot be asked, RESOURCE_EXHAUSTED when it is being asked already.
  using Examined = std::move_only_function<void(Result<std::string> report)>;

  virtual ~AgentDoctor() = default;

  /// Calls `done` once on `loop`, never from inside; `done` may destroy the operation. Destroying the
  /// operation takes the question back. It does not outlive the doctor.
  [[nodiscard]] virtual std::unique_ptr<io::Operation> examine(io::Loop& loop, std::int64_t agent_id,
                                                               Examined done) = 0;
};

}  // namespace towline::control
