#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "io/loop.h"

namespace towline::control {

class AgentAuthenticator;
class Backend;

/// Notices that tokens of agents have ended although nobody in this process ended them: another server of the
/// same database did, or a hand in the database. After each change of rights that is heard of, and no more
/// often than `interval`, all tokens in use are looked up together; those that are over raise
/// AgentTokenRevoked here. Lives on its loop, but is made before the loop's work begins or from it; `start`
/// may be called from anywhere.
class AgentTokenWatch {
 public:
  AgentTokenWatch(io::Loop& loop, Backend& backend, AgentAuthenticator& authenticator,
                  std::chrono::milliseconds interval = std::chrono::milliseconds(500));
  ~AgentTokenWatch();
  void start();

 private:
  void look();

  io::Loop& loop_;
  Backend& backend_;
  AgentAuthenticator& authenticator_;
  const std::chrono::milliseconds interval_;
  io::Timer timer_;
  std::uint64_t seen_ = 0;  // the generation that was looked at
  std::shared_ptr<AgentTokenWatch*> self_;
};

}  // namespace towline::control
