#pragma once

#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/failure_throttle.h"

namespace towline::control::api {

/// Wrong tokens, by address: of IPv6 by the /64, which one customer has.
class Throttle {
 public:
  Throttle(const Clock& clock, FailureThrottle::Policy policy) : buckets_(clock, policy) {}

  bool exhausted(std::string_view peer) { return buckets_.exhausted(address_block(peer, true)); }
  /// Counts a failure of `peer` ("192.0.2.1:1234": the port does not matter). False: too many, answer 429.
  bool failed(std::string_view peer) { return buckets_.failed(address_block(peer, true)); }
  int retry_after() const { return buckets_.retry_after(); }

 private:
  FailureThrottle buckets_;
};

/// Wrong passwords. Who guesses is stopped where he is; the owner is let in from where nobody has guessed,
/// and from where he was let in before. Safe from any thread.
///
/// Counted are failures of a login from one block of addresses, those of an address with any login, and those
/// of a login from everywhere: when these are many, a block has two tries at once instead of twenty.
class LoginThrottle {
 public:
  explicit LoginThrottle(const Clock& clock);

  /// False: answer 429.
  bool may_try(std::string_view login, std::string_view peer);
  void failed(std::string_view login, std::string_view peer);
  void succeeded(std::string_view login, std::string_view peer);
  int retry_after() const { return blocks_.retry_after(); }

 private:
  bool is_known(const std::string& place);

  FailureThrottle places_;     // of an address that the login was let in from
  FailureThrottle blocks_;     // of a login and a block of addresses
  FailureThrottle newcomers_;  // the same, while the login is guessed from everywhere
  FailureThrottle addresses_;  // of any login
  FailureThrottle logins_;     // from anywhere
  std::mutex mutex_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace towline::control::api
