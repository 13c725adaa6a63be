#include "control/agent_token_watch.h"

#include "control/agent_authenticator.h"
#include "control/backend.h"

namespace towline::control {

AgentTokenWatch::AgentTokenWatch(io::Loop& loop, Backend& backend, AgentAuthenticator& authenticator,
                                 std::chrono::milliseconds interval)
    : loop_(loop),
      backend_(backend),
      authenticator_(authenticator),
      interval_(interval),
      timer_(loop, [this] { look(); }),
      self_(std::make_shared<AgentTokenWatch*>(this)) {}

AgentTokenWatch::~AgentTokenWatch() { *self_ = nullptr; }

void AgentTokenWatch::start() {
  loop_.post([self = self_] {
    if (*self != nullptr) (*self)->timer_.start((*self)->interval_);
  });
}

void AgentTokenWatch::look() {
  // Before the look: what changes meanwhile is looked at again.
  const std::uint64_t generation = backend_.access_generation();
  if (generation == seen_) return timer_.start(interval_);
  backend_.check_agent_tokens(loop_, authenticator_.tokens_in_use(),
                              [self = self_, generation](const Result<std::size_t>& ended) {
                                if (*self == nullptr) return;
                                // A database that cannot be reached is asked again.
                                if (ended) (*self)->seen_ = generation;
                                (*self)->timer_.start((*self)->interval_);
                              });
}

}  // namespace towline::control
