#pragma once

#include <chrono>

namespace towline {

/// Where time comes from. Durations are measured with `now`, dates are taken from `wall`.
class Clock {
 public:
  using Duration = std::chrono::steady_clock::duration;
  using TimePoint = std::chrono::steady_clock::time_point;
  using WallTime = std::chrono::system_clock::time_point;

  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;
  virtual WallTime wall() const = 0;
};

/// The machine's clocks.
class SystemClock final : public Clock {
 public:
  TimePoint now() const override { return std::chrono::steady_clock::now(); }
  WallTime wall() const override { return std::chrono::system_clock::now(); }
};

/// A clock that a test moves.
class FakeClock final : public Clock {
 public:
  TimePoint now() const override { return now_; }
  WallTime wall() const override { return wall_; }
  void advance(Duration by) {
    now_ += by;
    wall_ += std::chrono::duration_cast<WallTime::duration>(by);
  }

 private:
  TimePoint now_{};
  WallTime wall_{};
};

}  // namespace towline
