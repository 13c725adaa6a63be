#pragma once

#include <chrono>
#include <functional>

namespace towline {

/// How long to wait before the next attempt: exponential growth with jitter, reset by success.
/// A value type: it holds no timer and decides nothing but the delay.
class Backoff {
 public:
  using Duration = std::chrono::milliseconds;

  struct Policy {
    Duration initial{500};
    Duration maximum{30'000};
    double factor = 2.0;
    /// Share of the delay that is random: 0.5 gives 50 to 100 % of it, so that a thousand agents whose
    /// server restarts do not come back in step.
    double jitter = 0.5;
  };

  /// `random` returns numbers in [0, 1).
  Backoff(Policy policy, std::function<double()> random);

  /// The delay before the next attempt; grows with each call.
  Duration next();
  void reset() { current_ = policy_.initial; }

 private:
  Policy policy_;
  std::function<double()> random_;
  Duration current_;
};

}  // namespace towline
