#pragma once

#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "control/backend.h"
#include "io/loop.h"

namespace towline::control {

/// A control plane that knows the tokens "t1", "t2" ... of agent 7, until they are taken away.
class FakeAgents final : public Backend {
 public:
  void agent_by_token(io::Loop& loop, Secret token, Answer<AuthenticatedAgent> answer) override {
    ++asked;
    const std::int64_t id = std::strtol(token.reveal().c_str() + 1, nullptr, 10);
    Result<AuthenticatedAgent> result = fail(Code::kUnauthenticated, "wrong");
    if (token.reveal().starts_with("t") && !gone.contains(id)) {
      result = AuthenticatedAgent{{.id = 7, .name = "a"}, id};
    }
    auto reply = [&loop, answer = std::move(answer), result = std::move(result)]() mutable {
      loop.post(
          [answer = std::move(answer), result = std::move(result)]() mutable { answer(std::move(result)); });
    };
    if (hold) return held.push_back(std::move(reply));
    reply();
  }
  void check_agent_tokens(io::Loop& loop, std::vector<AgentTokenInUse> tokens,
                          Answer<std::size_t> answer) override {
    ++checked;
    std::size_t ended = 0;
    for (const AgentTokenInUse& each : tokens) {
      if (!gone.contains(each.token_id)) continue;
      revoke(each.token_id);
      ++ended;
    }
    loop.post([answer = std::move(answer), ended]() mutable { answer(ended); });
  }
  void agent_configuration(io::Loop& loop, std::int64_t, Answer<AgentConfiguration> answer) override {
    loop.post([this, answer = std::move(answer)]() mutable { answer(configuration); });
  }
  void access_by_token(io::Loop&, std::int64_t, Secret, Answer<Access>) override {}
  std::uint64_t access_generation() const override { return generation; }
  void agent_seen(AgentPresence presence) override { seen.push_back(std::move(presence)); }
  void agent_gone(std::int64_t, std::int64_t) override {}
  void agent_last_seen(io::Loop&, std::int64_t,
                       Answer<std::optional<std::chrono::system_clock::time_point>>) override {}
  std::unique_ptr<Subscription> subscribe(std::function<void(const Event&)> callback) override {
    on_events.push_back(std::move(callback));
    return nullptr;
  }
  void revoke(std::int64_t token_id) {
    gone.insert({token_id, true});
    for (const auto& each : on_events) each(AgentTokenRevoked{7, token_id});
  }

  int asked = 0;
  int checked = 0;
  std::uint64_t generation = 1;
  std::map<std::int64_t, bool> gone;
  bool hold = false;
  std::vector<std::move_only_function<void()>> held;
  std::vector<std::function<void(const Event&)>> on_events;
  std::vector<AgentPresence> seen;
  AgentConfiguration configuration;
};

}  // namespace towline::control
