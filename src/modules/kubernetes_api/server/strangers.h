#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "base/clock.h"
#include "base/failure_throttle.h"
#include "base/secret.h"
#include "base/status.h"

namespace towline::kubernetes_api {

/// Credentials that are wrong, so that they cost the control plane little: one that comes again is refused
/// without a question, and an address that tries many is not asked for. A client whose token has expired and
/// that repeats it counts once, and shuts out nobody behind the same address. Only hashes are kept. Safe from
/// any thread.
class Strangers {
 public:
  explicit Strangers(const Clock& clock);

  /// Why this credential of `peer` ("192.0.2.1:1234") needs no question: what was answered to it before
  /// (UNAUTHENTICATED), or RESOURCE_EXHAUSTED. `generation` is Backend::access_generation().
  std::optional<Status> refusal(std::int64_t agent_id, const Secret& token, std::uint64_t generation,
                                std::string_view peer);
  /// The control plane has answered `status`, UNAUTHENTICATED.
  void wrong(std::int64_t agent_id, const Secret& token, std::uint64_t generation, std::string_view peer,
             const Status& status);
  /// The control plane has let this credential in: no guesses of its neighbours count against it any more.
  void right(std::int64_t agent_id, const Secret& token);
  /// Seconds after which an address may try again.
  int retry_after() const { return guesses_.retry_after(); }

 private:
  struct Entry {
    Status status;
    std::uint64_t generation;
    Clock::TimePoint expires;
  };

  const Clock& clock_;
  FailureThrottle guesses_;
  std::mutex mutex_;
  std::unordered_map<std::string, Entry> wrong_;
  std::unordered_set<std::string> right_;
};

}  // namespace towline::kubernetes_api
