#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace towline {

/// How often somebody may be wrong: a token bucket for each name. Only failures count, so that those who
/// share a name with a fool are not shut out. Safe from any thread.
class FailureThrottle {
 public:
  struct Policy {
    double per_minute = 10;
    double burst = 20;
  };
  /// Limit: names (addresses, logins) whose wrong credentials are counted at once; when there are more, those
  /// who have been wrong least are forgotten.
  static constexpr std::size_t kMaxBuckets = 10'000;

  FailureThrottle(const Clock& clock, Policy policy) : clock_(clock), policy_(policy) {}

  /// Whether a failure of `name` would be one too many; counts nothing.
  bool exhausted(std::string_view name);
  /// Counts a failure. False: too many.
  bool failed(std::string_view name);
  /// Seconds after which a failure is let through again.
  int retry_after() const { return static_cast<int>(60 / policy_.per_minute) + 1; }

 private:
  struct Bucket {
    double left;
    Clock::TimePoint at;
  };
  double refilled(const Bucket& bucket, Clock::TimePoint now) const;
  Bucket& bucket_of(std::string_view name);
  void make_room(Clock::TimePoint now);

  const Clock& clock_;
  const Policy policy_;
  std::mutex mutex_;
  std::map<std::string, Bucket, std::less<>> buckets_;
};

/// What stands for all addresses of one customer of a network: of "192.0.2.1:443" its /24 or, `exact`, the
/// address itself; of IPv6 the /56, or the /64. Other text stands for itself.
std::string address_block(std::string_view peer, bool exact = false);

}  // namespace towline
