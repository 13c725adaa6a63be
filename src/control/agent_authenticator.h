#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "control/backend.h"
#include "http/headers.h"

namespace towline::control {

/// An agent that has proved who it is, and for how long that counts.
struct AdmittedAgent : AuthenticatedAgent {
  /// Becomes true when the token is revoked, before any other subscriber of AgentTokenRevoked hears of it.
  /// Whoever keeps a list of the calls of agents enters a call first and looks at this then: so either he
  /// finds the call when the event comes, or sees here that it has come.
  std::shared_ptr<const std::atomic<bool>> ended;
};

/// Says which agent makes a gRPC call, by `authorization: Bearer <agent token>`. Answers are remembered for
/// `ttl`, and forgotten at once when a token is revoked; only hashes of tokens are kept. Thread-safe. To be
/// made before anything else that subscribes to AgentTokenRevoked.
class AgentAuthenticator {
 public:
  using Answer = Backend::Answer<AdmittedAgent>;

  struct Options {
    Clock::Duration ttl = std::chrono::seconds(60);
    /// Limit: connections that one agent token may open in a minute, and calls of each unary or configuration
    /// method that it may make; over it RESOURCE_EXHAUSTED.
    std::size_t per_minute = 100;
    /// Limit: connections of one agent token at once; over it calls of a further one get RESOURCE_EXHAUSTED.
    std::size_t max_connections = 50;
    /// Limit: how long the control plane may take to say whose a token is; over it UNAVAILABLE.
    std::chrono::milliseconds answer_time{10'000};
  };

  AgentAuthenticator(Backend& backend, const Clock& clock) : AgentAuthenticator(backend, clock, Options()) {}
  AgentAuthenticator(Backend& backend, const Clock& clock, Options options);
  ~AgentAuthenticator();

  /// What is counted for the limit of a minute besides connections.
  enum class Method { kTunnel, kConfiguration, kRegistration };

  /// Who calls, as far as the transport knows.
  struct Caller {
    io::Loop& loop;
    std::string_view peer;
    std::weak_ptr<const void> connection;  // expires with it
  };

  /// Answers once, on the caller's loop, never from inside the call. UNAUTHENTICATED when there is no token
  /// or a wrong one; RESOURCE_EXHAUSTED over a limit, or when too many different wrong tokens have come from
  /// the caller's address.
  void authenticate(Caller caller, const http::Headers& metadata, Method method, Answer answer);

  /// Tokens that are remembered or whose calls run.
  std::vector<AgentTokenInUse> tokens_in_use();

 private:
  struct State;
  struct Question;
  std::shared_ptr<State> state_;
  std::unique_ptr<Backend::Subscription> subscription_;
};

}  // namespace towline::control
