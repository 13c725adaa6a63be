#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "io/running_task.h"

namespace towline::io {

class Loop;
class LoopGroup;

/// Limit: time in which a loop does not come to its next task; its stack is logged, and liveness fails until
/// it goes on.
inline constexpr std::chrono::seconds kLoopStall{5};
/// Limit: time that one piece of work holds a thread of a pool; it is logged with its caller and stack, and
/// counted.
inline constexpr std::chrono::seconds kTaskStall{60};

/// Notices loops that do not turn, because a task blocks or never ends, and work that does not leave its
/// thread. Once a second its thread posts a task to each loop, and sees when it has run: the loops themselves
/// do nothing for it. Time in which this process did not run at all, as it was stopped or its machine slept,
/// is nobody's stall.
class Watchdog {
 public:
  struct Options {
    std::chrono::nanoseconds loop_stall = kLoopStall;
    std::chrono::nanoseconds task_stall = kTaskStall;
    std::chrono::nanoseconds interval = std::chrono::seconds(1);
  };
  struct Counts {
    std::uint64_t loop_stalls = 0;
    std::uint64_t task_stalls = 0;
    double longest_turn_seconds = 0;  // that a loop took to come to the next task, to the interval
  };

  /// The loops and the clock outlive it.
  Watchdog(std::vector<Loop*> loops, const Clock& clock, Options options, Logger log);
  /// stop()s.
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// Looks from now on, in a thread of its own.
  void start();
  /// Looks no more. Before the loops' threads end, and those of the pools.
  void stop();

  /// Looks after a pool, too; `running` is called in the watchdog's thread. Before start().
  void watch(std::function<std::vector<RunningTask>()> running);

  /// Whether all loops turn. From any thread, as counts().
  Status alive() const;
  Counts counts() const;

  /// What the thread does at each interval; for tests that move the clock.
  void look();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The loops of a group, for a Watchdog.
std::vector<Loop*> loops_of(LoopGroup& group);

}  // namespace towline::io
