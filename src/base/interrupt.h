#pragma once

#include <atomic>
#include <memory>

#include "base/clock.h"
#include "base/status.h"

namespace towline {

/// Tells work on a pool's thread that it is wanted no more: whoever asked has gone, or its time is up. Long
/// loops (walks of a history, of a tree) call check() at each step and stop with what it says. cancel() and
/// check() are safe from any thread; `clock` outlives it.
class Interrupt {
 public:
  Interrupt(const Clock& clock, Clock::Duration limit) : clock_(clock), deadline_(clock.now() + limit) {}

  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

  /// CANCELLED or DEADLINE_EXCEEDED once there is no point in going on.
  Status check() const {
    if (cancelled()) return {Code::kCancelled, "whoever asked has gone"};
    if (clock_.now() >= deadline_)
      return {Code::kDeadlineExceeded, "this takes too long: ask for less at once"};
    return {};
  }

 private:
  const Clock& clock_;
  const Clock::TimePoint deadline_;
  std::atomic<bool> cancelled_{false};
};

/// Shared by who asks and who works; null: nothing interrupts.
using InterruptPtr = std::shared_ptr<const Interrupt>;

}  // namespace towline
