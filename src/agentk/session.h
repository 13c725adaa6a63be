#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "modules/configuration/agent/configuration.h"
#include "modules/registrar/agent/registration.h"
#include "tunnel/agent/connector.h"
#include "tunnel/agent/tunnels.h"

namespace towline::agentk {

/// What runs on one connection to the server.
class Session final : public tunnel::Session {
 public:
  Session(std::unique_ptr<configuration::ConfigurationFollower> follower,
          std::unique_ptr<registrar::Registration> registration,
          std::unique_ptr<tunnel::AgentTunnels> tunnels, std::move_only_function<void(Session*)> gone)
      : follower_(std::move(follower)),
        registration_(std::move(registration)),
        tunnels_(std::move(tunnels)),
        gone_(std::move(gone)) {}
  ~Session() override { gone_(this); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void drain(std::move_only_function<void()> drained) override {
    drained_ = std::move(drained);
    follower_.reset();
    registration_->stop([this] { step(); });
    tunnels_->drain([this] { step(); });
  }
  std::size_t idle_tunnels() const { return tunnels_->idle(); }
  std::size_t busy_tunnels() const { return tunnels_->busy(); }

 private:
  void step() {
    if (++steps_ == 2 && drained_) std::exchange(drained_, {})();
  }

  std::unique_ptr<configuration::ConfigurationFollower> follower_;
  std::unique_ptr<registrar::Registration> registration_;
  std::unique_ptr<tunnel::AgentTunnels> tunnels_;
  std::move_only_function<void(Session*)> gone_;
  std::move_only_function<void()> drained_;
  int steps_ = 0;
};

}  // namespace towline::agentk
