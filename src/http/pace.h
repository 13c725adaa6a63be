#pragma once

#include <chrono>
#include <cstddef>
#include <utility>

#include "base/clock.h"

namespace towline::http {

/// Whether bytes that somebody owes move at a minimum pace. It is asked now and then, and judges whole
/// periods, so that it needs no timer of its own.
class Pace {
 public:
  void moved(std::size_t bytes) { moved_ += bytes; }

  /// `owes`: bytes are due now. False when they have been due for a period in which less than `rate` bytes a
  /// second have moved.
  bool is_kept(Clock::TimePoint now, bool owes, std::chrono::milliseconds period, std::size_t rate) {
    if (!owes) {
      due_ = false;
      return true;
    }
    if (!std::exchange(due_, true)) {
      since_ = now;
      moved_ = 0;
      return true;
    }
    if (now - since_ < period) return true;
    since_ = now;
    const std::size_t due = rate * static_cast<std::size_t>(period.count()) / 1000;
    return std::exchange(moved_, 0) >= due;
  }

 private:
  bool due_ = false;
  Clock::TimePoint since_{};  // when the period began
  std::size_t moved_ = 0;
};

}  // namespace towline::http
