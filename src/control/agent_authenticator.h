#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "control/backend.h"
#include "http/headers.h"

namespace towline::control {

/// Says which agent makes a gRPC call, by `authorization: Bearer <agent token>`. Answers are remembered for
/// `ttl`, and forgotten at once when a token is revoked; only hashes of tokens are kept. Thread-safe.
class AgentAuthenticator {
 public:
  using Answer = Backend::Answer<AuthenticatedAgent>;

  AgentAuthenticator(Backend& backend, const Clock& clock, Clock::Duration ttl = std::chrono::seconds(60));

  /// Answers once, on `loop`, never from inside the call. UNAUTHENTICATED when there is no token or a wrong
  /// one.
  void authenticate(io::Loop& loop, const http::Headers& metadata, Answer answer);

 private:
  struct Entry {
    AuthenticatedAgent agent;
    Clock::TimePoint expires;
  };
  struct Cache {
    std::mutex mutex;
    std::unordered_map<std::string, Entry> entries;
    // Grows with each revocation: an answer that was asked for before one is not remembered after it.
    std::uint64_t generation = 0;
  };

  Backend& backend_;
  const Clock& clock_;
  const Clock::Duration ttl_;
  std::shared_ptr<Cache> cache_ = std::make_shared<Cache>();
  std::unique_ptr<Backend::Subscription> subscription_;
};

/// Allows a token `limit` events in any minute. Thread-safe.
class TokenRateLimiter {
 public:
  TokenRateLimiter(const Clock& clock, std::size_t limit) : clock_(clock), limit_(limit) {}
  bool allow(std::int64_t token_id);

 private:
  const Clock& clock_;
  const std::size_t limit_;
  std::mutex mutex_;
  std::unordered_map<std::int64_t, std::deque<Clock::TimePoint>> events_;
};

}  // namespace towline::control
