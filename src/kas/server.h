#pragma once

#include <functional>
#include <memory>

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "kas/flags.h"

namespace towline::io {
class LoopGroup;
class Watchdog;
}  // namespace towline::io

namespace towline::kas {

/// The server, put together.
class Server {
 public:
  /// Starts the watchdog when it serves, and stops it when it is destroyed.
  static Result<std::unique_ptr<Server>> start(io::LoopGroup& loops, const Clock& clock, Flags flags,
                                               io::Watchdog& watchdog, Logger log);
  virtual ~Server() = default;
  /// Stops accepting, lets running requests finish, then calls `stopped`. Safe from any thread.
  virtual void stop(std::move_only_function<void()> stopped) = 0;
};

}  // namespace towline::kas
