#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agentk/flags.h"
#include "base/log.h"
#include "base/status.h"

namespace towline::io {
class LoopGroup;
class Watchdog;
}  // namespace towline::io

namespace towline::agentk {

/// The agent, put together: one loop with the connection to the server, the client of the cluster's API, the
/// features and the observability endpoint.
class Agent {
 public:
  /// `give_up` is called from the loop, at most once, when the first connection was not had in time
  /// (Flags::startup_timeout_seconds): with what to tell the one who looks. The owner then ends the program.
  using GiveUp = std::function<void(std::string explanation)>;
  /// Starts the watchdog when it runs, and stops it when it is destroyed.
  static Result<std::unique_ptr<Agent>> start(io::LoopGroup& loops, Flags flags, io::Watchdog& watchdog,
                                              GiveUp give_up, Logger log);
  virtual ~Agent() = default;

  /// Takes no more requests, lets running ones finish, then calls `stopped` from the loop. Safe from any
  /// thread.
  virtual void stop(std::move_only_function<void()> stopped) = 0;
};

}  // namespace towline::agentk
