#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace towline::control::api {

/// How often one address may be wrong: a token bucket for each. Only failures count, so that those who share
/// an address with a fool are not shut out. Safe from any thread.
class Throttle {
 public:
  struct Policy {
    double per_minute = 10;
    double burst = 20;
  };

  Throttle(const Clock& clock, Policy policy) : clock_(clock), policy_(policy) {}

  /// Whether a failure of `peer` would be one too many; counts nothing.
  bool exhausted(std::string_view peer);
  /// Counts a failure of `peer` ("192.0.2.1:1234": the port does not matter). False: too many, answer 429.
  bool failed(std::string_view peer);
  /// Seconds after which a failure is let through again.
  int retry_after() const { return static_cast<int>(60 / policy_.per_minute) + 1; }

 private:
  struct Bucket {
    double left;
    Clock::TimePoint at;
  };
  Bucket& refilled(std::string_view peer);
  void forget_full(Clock::TimePoint now);

  const Clock& clock_;
  Policy policy_;
  std::mutex mutex_;
  std::map<std::string, Bucket, std::less<>> buckets_;
};

}  // namespace towline::control::api
